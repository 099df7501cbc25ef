"""Measures how long a change of a pack takes to reach every sidecar, on a real API server: ``make bench-convergence``.

The operator is the real one, in a process and under an account of its own. The sidecars are what of them takes in a
configuration, a hundred or so in a process, and all of that is the real code. What serves calls is left out.
"""
