"""Measures how long a change of a pack takes to reach every sidecar, on a real API server: ``make bench-convergence``.

The operator is the real one, in a process and under an account of its own. The sidecars are their stream clients, a
hundred or so in a process: connection, TLS, digests, decoding, the files for a restart and acks are the real code. What
a sidecar does beyond that, to build its steps, is left out: a sidecar has a core to do it on, and a hundred share one.
"""
