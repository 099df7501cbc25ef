"""The way of a configuration, from a source to what is in force."""
