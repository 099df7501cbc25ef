"""The second contract: what is recorded of every call, how records are chained, and how a log is verified."""
