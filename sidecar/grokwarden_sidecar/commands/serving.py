"""What the commands that serve have in common: each gives its place to the process that holds nothing else."""

import os
import sys
from importlib.util import find_spec
from typing import NoReturn

from grokwarden_sidecar.settings import LaunchOptions, encode_options

_SERVING_NEEDS = ("aiohttp", "httptools", "prometheus_client", "uvicorn", "uvloop", "zstandard")
for _module in _SERVING_NEEDS:  # told here, by what to install, before this process gives its place away
    if find_spec(_module) is None:
        raise ModuleNotFoundError(f"No module named {_module!r}", name=_module)


def give_place(options: LaunchOptions) -> NoReturn:
    """Nothing of this process stays but its id: it serves from now on."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "grokwarden_sidecar", encode_options(options)])  # noqa: S606
