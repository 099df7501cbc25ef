"""The audit log's files, written."""
