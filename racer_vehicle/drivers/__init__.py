"""The devices of a car, one module each, behind the three protocols of `protocols`."""
