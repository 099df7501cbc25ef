"""Statuses and their Events, brought to the API server."""
