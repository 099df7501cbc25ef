"""A call in one canonical form, whatever its wire format: what policies see, and how an edit reaches the bytes."""
