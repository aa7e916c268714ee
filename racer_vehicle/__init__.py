"""What runs on the car: specifications, signals, codecs, policies, drivers and nodes."""
