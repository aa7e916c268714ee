"""How fast the simulator and a training run are, measured so that another person can repeat it."""
