"""Where things are kept. The only module that reads the environment."""

import os
from pathlib import Path


def _user_directory(variable: str, default: str) -> Path:
    given = os.environ.get(variable)
    return (Path(given) if given else Path.home() / default) / "grokwarden"


def cache_directory() -> Path:
    """Binaries and, where there was none, the Go toolchain; safe to delete while nothing is being built."""
    return _user_directory("XDG_CACHE_HOME", ".cache") / "control-plane"


def default_state_directory() -> Path:
    """The cluster's data, logs, keys and process ids, unless ``--state-dir`` says otherwise."""
    return _user_directory("XDG_STATE_HOME", ".local/state") / "cluster"


def assets_directory() -> Path | None:
    """``KUBEBUILDER_ASSETS``: a folder of ready-made binaries, as envtest lays it out."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(given) if given else None


def build_environment() -> dict[str, str]:
    """The caller's environment for ``go``: mirrors and caches are the caller's business, what is built is ours."""
    left_out = {"GOOS", "GOARCH", "GOBIN", "GOEXPERIMENT"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def module_environment(root: Path) -> dict[str, str]:
    """The caller's environment for a Python that finds this package, whatever its working directory."""
    return os.environ | {"PYTHONPATH": str(root)}
