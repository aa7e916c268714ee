"""What cars did, step by step: written while they drive, read from our runs and from others'."""
