"""The `racer` command, one module a command."""
