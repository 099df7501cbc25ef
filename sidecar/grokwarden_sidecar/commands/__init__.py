"""The sidecar plane's subcommands of ``grokwarden``, one module each."""
