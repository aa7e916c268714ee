"""What is worth money next for a model, from all that is known of it."""
