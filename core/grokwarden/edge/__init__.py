"""Where the core meets files and people: YAML, the command line, imports. Nothing else in the core imports it."""
