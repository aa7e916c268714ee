"""Trainings as jobs: what runs, how far it is, how it ended, under `$RACER_HOME/jobs`."""
