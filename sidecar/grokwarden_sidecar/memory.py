"""What the process holds of memory: it runs once per pod, so a megabyte here is a gigabyte in a cluster."""

import contextlib
import ctypes
import gc
from typing import Final

_GC_THRESHOLD: Final = 10_000  # objects; a call makes a few hundred, nearly all of them freed by their counts


def settle_memory() -> None:
    """What the start made stays: the collector looks at calls alone from now on, and what was free is given back."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 10, 10)
    give_back_memory()


def give_back_memory() -> None:
    """What is free goes back to the system: building a configuration takes some megabytes that nothing needs after."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
