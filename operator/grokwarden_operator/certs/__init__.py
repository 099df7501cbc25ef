"""The operator's own authority, and the certificate that its stream presents."""
