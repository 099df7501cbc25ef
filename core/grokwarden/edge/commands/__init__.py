"""The subcommands of ``grokwarden`` that need no plane, one module each."""
