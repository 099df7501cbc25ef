"""The sidecar plane: an OpenAI-compatible proxy that enforces bundles."""
