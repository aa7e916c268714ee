"""What is wrong with a reward function, before a minute of training is spent on it."""
