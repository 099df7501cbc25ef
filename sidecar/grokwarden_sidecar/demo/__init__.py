"""``grokwarden demo``: simulator, sidecar and the real OpenAI SDK on this machine, and what each step has to show.

Read ``steps`` first: it is the walk. It refuses nothing and proves nothing on its own account: every expectation is
data, and is held against what the client, the provider, the metrics and the audit log say.
"""
