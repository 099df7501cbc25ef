"""Resources to a bundle, or everything that is wrong with them at once.

Pure: no file, no clock, no cluster. A step that can't be enforced on a path where its pack applies is an error here and
not a surprise there; what a step does on each path is in the coverage table.

Two ways lead there, over the same rules. ``compile_packs`` takes all resources of one pod. ``compile_pack`` and
``compile_target`` take one object each, and ``join`` puts together what governs one pod.
"""

from grokwarden.compiler.compilation import Compilation, TestedPack, compile_each_pack, compile_packs
from grokwarden.compiler.coverage import CoverageRow, Enforcement
from grokwarden.compiler.joining import Joined, RefReason, TargetsView, UnresolvedRef, governs, join, resolve_routing
from grokwarden.compiler.packtests import PackTest
from grokwarden.compiler.proving import failed_tests
from grokwarden.compiler.scope import Scope
from grokwarden.compiler.units import CompiledPack, CompiledTarget, compile_pack, compile_target

__all__ = [
    "Compilation",
    "CompiledPack",
    "CompiledTarget",
    "CoverageRow",
    "Enforcement",
    "Joined",
    "PackTest",
    "RefReason",
    "Scope",
    "TargetsView",
    "TestedPack",
    "UnresolvedRef",
    "compile_each_pack",
    "compile_pack",
    "compile_packs",
    "compile_target",
    "failed_tests",
    "governs",
    "join",
    "resolve_routing",
]
