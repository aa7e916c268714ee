"""A model onto a car: a package that installs offline, and its way there."""
