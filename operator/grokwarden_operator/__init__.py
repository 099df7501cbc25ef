"""The operator plane: from custom resources to the bundle of each pod, and from sidecars' acks to each pack's status.

What is there goes through it in one direction: API server, inventory, a pure reconcile, streams. Every event only rings
a bell; what counts is what is listed then. It serves any number of sidecars and is needed by no call: they go on with
what they have. docs/architecture.md has the map.
"""
