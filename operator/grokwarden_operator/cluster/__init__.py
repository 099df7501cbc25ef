"""All that speaks to the API server, and nothing that decides."""
