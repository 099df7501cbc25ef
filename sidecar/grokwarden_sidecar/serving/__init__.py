"""The HTTP servers and the admin plane."""
