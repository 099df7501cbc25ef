"""A Kubernetes control plane for development and tests: real components, built from a Go module, without root.

``python -m e2e.cluster up --control-plane-only`` in the repository's root; tests use ``local.running_cluster``.
There is no node: pods can be created, and stay pending.
"""
