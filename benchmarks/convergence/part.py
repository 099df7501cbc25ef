"""A part: its size, and what it costs a sidecar to build steps of it, which the clients here don't do."""

import time
from statistics import median
from typing import Final

from benchmarks.convergence.documents import Packs

from grokwarden.bundle import Manifest, PartRef, digest_of_bytes, encode_part
from grokwarden.compiler.scope import Scope
from grokwarden.compiler.units import compile_pack
from grokwarden.resources import Document
from grokwarden_sidecar.configuration.building import InForce, build
from grokwarden_sidecar.configuration.bundle_source import Update

_TIMES: Final = 5


def measure_part() -> tuple[int, float]:
    """The size in bytes, and the seconds that building takes: the median of a few different words."""
    taken, size = [], 0
    for number in range(_TIMES):
        document = Packs().pack(0, f"word-{number}")
        document["metadata"] |= {"namespace": "bench", "uid": "none", "generation": 1}
        data = encode_part(compile_pack(Document(content=document), scope=Scope(root_namespace="none")).part)
        ref = PartRef(name="bench/pack-00", uid="none", generation=1, digest=digest_of_bytes(data))
        update = Update(version="", manifest=Manifest(packs=(ref,), targets=()), parts={ref.digest: data})
        started = time.perf_counter()
        build(update, InForce())
        taken.append(time.perf_counter() - started)
        size = len(data)
    return size, median(taken)
