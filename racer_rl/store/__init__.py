"""Where models live: plain folders and JSON under `$RACER_HOME/models`."""
