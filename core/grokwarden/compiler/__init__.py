"""Resources to a bundle, or everything that is wrong with them at once.

Pure: no file, no clock, no cluster. A step that can't be enforced on a path where its pack applies is an error here and
not a surprise there; what a step does on each path is in the coverage table.
"""

from grokwarden.compiler.compilation import Compilation, TestedPack, compile_each_pack, compile_packs
from grokwarden.compiler.coverage import CoverageRow, Enforcement
from grokwarden.compiler.packtests import PackTest
from grokwarden.compiler.scope import Scope

__all__ = [
    "Compilation",
    "CoverageRow",
    "Enforcement",
    "PackTest",
    "Scope",
    "TestedPack",
    "compile_each_pack",
    "compile_packs",
]
