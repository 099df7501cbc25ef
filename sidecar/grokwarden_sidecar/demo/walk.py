"""The demo from beginning to end."""

import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import openai

from grokwarden_sidecar.demo.errors import DemoError
from grokwarden_sidecar.demo.expectation import Finding, compare
from grokwarden_sidecar.demo.keeping import invitation
from grokwarden_sidecar.demo.report import Report
from grokwarden_sidecar.demo.stage import Stage, open_stage
from grokwarden_sidecar.demo.steps import WALK, Step
from grokwarden_sidecar.demo.waiting import pause


class Stopped(KeyboardInterrupt):
    """The process was told to end."""


def run_demo(pack: str, *, keep: bool = False, walk: Sequence[Step] = WALK) -> bool:
    """Simulator and sidecar have run, and the walk was taken; whether all of it went as expected.

    Args:
        pack: The example pack, or one that should give itself away.
        keep: Leave both running after the walk, until Ctrl-C or SIGTERM.
        walk: The steps.

    Raises:
        DemoError: Simulator or sidecar did not start.
    """
    started = time.perf_counter()
    report = Report()
    with (
        _signals_stop(),
        tempfile.TemporaryDirectory(prefix="grokwarden-demo-") as folder,
        open_stage(Path(folder), pack) as stage,
    ):
        report.line(f"simulator  {stage.provider.url}/v1, a Grok that costs nothing")
        report.line(f"sidecar    {stage.base_url}, governed by a copy of the example pack")
        report.line(f"client     the OpenAI SDK for Python, {openai.__version__}, unmodified")
        report.line()
        report.head()
        findings = [finding for number, step in enumerate(walk, 1) for finding in _take(number, step, stage, report)]
        differing = sum(not finding.holds for finding in findings)
        verdict = f"{differing} of them differ from what was expected" if differing else "all as expected"
        took = f"{time.perf_counter() - started:.1f} s"
        report.line(
            f"\n{len(walk)} steps, {len(findings)} checks, {verdict}; {took}",
            "bold red" if differing else "bold green",
        )
        if keep:
            _keep(stage, report)
    return not differing


def _take(number: int, step: Step, stage: Stage, report: Report) -> tuple[Finding, ...]:
    """The findings of a step; one that does not come to its end differs."""
    try:
        findings = compare(step.expects, step.act(stage))
    except (DemoError, openai.OpenAIError, OSError) as error:
        happened = f"{type(error).__name__}: {error}"
        findings = (Finding(subject="step", expected="comes to its end", happened=happened, holds=False),)
    report.step(number, step.title, step.says, findings)
    return findings


def _keep(stage: Stage, report: Report) -> None:
    """Both run until this process is told to end.

    Raises:
        DemoError: One of them ended by itself.
    """
    for line in invitation(stage):
        report.line(line)
    try:
        while not (stage.sidecar.has_ended or stage.simulator.has_ended):
            pause(0.2)
    except KeyboardInterrupt:
        report.line("\nstopping both; the temporary directory is removed")
        return
    raise DemoError("simulator or sidecar ended by itself; the other one was stopped")


@contextmanager
def _signals_stop() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that no child outlives it."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
