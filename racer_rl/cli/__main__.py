"""The `racer` command as a module, for processes that are started by racer itself."""

from racer_rl.cli.main import main

main()
