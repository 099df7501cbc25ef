"""A Grok that answers as api.x.ai does, and misbehaves on request. For demos, tests and laptops; never in a pod."""

from grokwarden_sidecar.simulate.app import SimulatorSettings, create_app
from grokwarden_sidecar.simulate.script import Script, ScriptedToolCall, ScriptedUsage
from grokwarden_sidecar.simulate.server import Simulator, simulator

__all__ = [
    "Script",
    "ScriptedToolCall",
    "ScriptedUsage",
    "Simulator",
    "SimulatorSettings",
    "create_app",
    "simulator",
]
