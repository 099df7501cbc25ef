"""The processes that are measured: each on the same core, each with its processor time and its memory.

Everything else of a benchmark, the provider and the load, is on the other cores. Linux only: the figures of a process
come from its CPU clock and from ``/proc``.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traffic import MODEL, SYSTEM_PROMPT

PASS_THROUGH: Final = "pass-through"
ROUTING: Final = "routing only"
REQUEST_STEPS: Final = "request steps only"
CHAIN: Final = "whole chain"

_HERE: Final = Path(__file__).parent
_STOP_SECONDS: Final = 10.0
_CPU_CLOCK: Final = 2  # CPUCLOCK_SCHED: user and system time of all threads, in nanoseconds

_CORE: Final = "    - {name: core, policy: core-policy}\n"
_INJECTION: Final = "    - {name: injection, policy: prompt-injection}\n"
_SAFETY: Final = "    - {name: safety, policy: safety-filter}\n"
_PREFIX: Final = (
    f'    - {{name: prefix, policy: system-prompt-guard, systemPromptGuard: {{requiredPrefix: "{SYSTEM_PROMPT}"}}}}\n'
)
_AUDIT: Final = "    - {name: audit, policy: audit-logger}\n"
_CHAINS: Final = {
    ROUTING: "",
    REQUEST_STEPS: _CORE + _INJECTION + _PREFIX + _AUDIT,
    CHAIN: _CORE + _INJECTION + _SAFETY + _PREFIX + _AUDIT,
}
_RESOURCES: Final = """\
apiVersion: grokwarden.io/v1alpha1
kind: PolicyPack
metadata: {{name: benchmark}}
spec:
  version: 0.1.0
{chain}  routing:
    targets: [{{name: provider}}]
---
apiVersion: grokwarden.io/v1alpha1
kind: ProviderTarget
metadata: {{name: provider}}
spec:
  provider: xai
  model: {model}
  baseURL: http://127.0.0.1:{port}/v1
  secretKeyRef: {{env: BENCHMARK_KEY}}
"""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the proxies run, and where everything else does; the same where there is only one."""

    proxy: frozenset[int]
    others: frozenset[int]

    @classmethod
    def of_machine(cls) -> "Cores":
        """The first core that we may use for the proxies, the rest for the others."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(frozenset(usable[:1]), frozenset(usable[1:] or usable))


@dataclass(frozen=True, slots=True)
class Running:
    """A process that says where it serves."""

    process: subprocess.Popen[str]
    port: int

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return time.clock_gettime((~self.process.pid << 3) | _CPU_CLOCK)

    @property
    def resident_mib(self) -> float:
        """Resident memory now, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii", errors="replace")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


@contextlib.contextmanager
def provider(cores: Cores) -> Iterator[Running]:
    """The simulated provider runs."""
    with _started([sys.executable, str(_HERE / "upstream.py")], cores.others) as running:
        yield running


@contextlib.contextmanager
def proxies(provider_port: int, cores: Cores) -> Iterator[dict[str, Running]]:
    """Every proxy that is compared runs, idle, by its name; the yardstick first."""
    base_url = f"http://127.0.0.1:{provider_port}/v1"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="grokwarden-benchmark-")))
        command = [sys.executable, str(_HERE / "passthrough.py"), base_url]
        running = {PASS_THROUGH: stack.enter_context(_started(command, cores.proxy))}
        for name, chain in _CHAINS.items():
            command = _sidecar_command(folder / name.replace(" ", "-"), chain, provider_port)
            running[name] = stack.enter_context(_started(command, cores.proxy))
        yield running


def _sidecar_command(folder: Path, chain: str, provider_port: int) -> list[str]:
    folder.mkdir()
    config = folder / "pack.yaml"
    chain = f"  chain:\n{chain}" if chain else ""
    config.write_text(_RESOURCES.format(chain=chain, model=MODEL, port=provider_port), encoding="utf-8")
    grokwarden = Path(sys.executable).with_name("grokwarden")
    options = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-level", "warning"]
    return [str(grokwarden), "run", "--config", str(config), "--audit-dir", str(folder / "audit"), *options]


@contextlib.contextmanager
def _started(command: list[str], cores: frozenset[int]) -> Iterator[Running]:
    """The process runs on these cores and serves; it is stopped in the end."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # a child begins where its parent is, all of its threads included
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "BENCHMARK_KEY": "k"})
    finally:
        os.sched_setaffinity(0, ours)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://" not in line:
            raise RuntimeError(f"{' '.join(command)}: did not start; it said {line!r}")
        yield Running(process, int(line.partition("http://127.0.0.1:")[2].partition("/")[0]))
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
