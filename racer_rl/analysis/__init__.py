"""What the car did, where, and what to change: tables, figures, findings and a report of a log.

Everything takes what `racer_rl.traces.read_log` gives. `Run` prepares it; the modules of tables
return pandas frames, those of charts and maps Matplotlib figures (no display needed), `findings`
plain sentences, `report` one HTML file.
"""
