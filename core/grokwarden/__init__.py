"""Governs Grok traffic: packs of policies, compiled once, enforced in every sidecar."""

__version__ = "0.1.0"
