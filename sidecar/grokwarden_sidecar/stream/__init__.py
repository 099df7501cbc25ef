"""The operator's config stream, as a source of configurations."""
