"""Race day: one entry after another on the track, timed, shown on a big screen, and recorded."""
