"""The operator plane's subcommands of ``grokwarden``, one module each."""
