"""`racer car check`: whether a car's parts do what driving relies on, one after another."""
