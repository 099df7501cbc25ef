"""The config stream to the sidecars: who is asking, what they get, and what they answer."""
