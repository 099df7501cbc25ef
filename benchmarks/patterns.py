"""What 200 patterns of an author's own cost on a prompt: the request phase of a whole bundle, with and without them."""

import itertools
import time
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from traffic import MODEL, prompt, request_body

from grokwarden.compiler import Scope, compile_packs
from grokwarden.engine import Engine
from grokwarden.exchange.chat import parse_chat
from grokwarden.exchange.model import Exchange
from grokwarden.resources import Document

PATTERNS: Final = 200
_PROMPTS: Final = 64  # different ones, so that no automaton is warm for one text alone
_REPEATS: Final = 5
_CODENAMES: Final = (
    "aurora",
    "basalt",
    "cobalt",
    "dynamo",
    "ember",
    "falcon",
    "granite",
    "harbor",
    "indigo",
    "juniper",
)
_SHAPES: Final = (
    r"(?i)\bproject\s+{name}[ -]?{number}\b",
    r"\b{name}-\d{{{width}}}-[a-z]{{2}}\b",
    r"(?i)(reveal|print|leak)\s+(the\s+)?{name}\s+{number}",
    r"{name}_(?:key|token|secret){number}\s*[:=]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternCost:
    """Processor time of the request phase on a prompt of 2 KB, in µs."""

    without_us: float
    with_us: float

    @property
    def added_us(self) -> float:
        return self.with_us - self.without_us


def measure_patterns(*, calls: int) -> PatternCost:
    """The median of some repeats of so many calls."""
    exchanges = [_exchange(number) for number in range(_PROMPTS)]
    engines = (_engine([]), _engine(_patterns()))
    costs: tuple[list[float], list[float]] = ([], [])
    for _ in range(_REPEATS):
        for engine, found in zip(engines, costs, strict=True):
            found.append(_call_us(engine, exchanges, calls))
    return PatternCost(without_us=median(costs[0]), with_us=median(costs[1]))


def _call_us(engine: Engine, exchanges: list[Exchange], calls: int) -> float:
    for exchange in exchanges:
        engine.judge_request(exchange)
    started = time.process_time()
    for exchange in itertools.islice(itertools.cycle(exchanges), calls):
        engine.judge_request(exchange)
    return (time.process_time() - started) * 1e6 / calls


def _exchange(number: int) -> Exchange:
    return parse_chat(request_body(stream=False, text=prompt(number)))


def _patterns() -> list[str]:
    """Patterns as authors write them; none of them matches a prompt."""
    return [
        _SHAPES[number % len(_SHAPES)].format(
            name=_CODENAMES[number % len(_CODENAMES)], number=number, width=2 + number % 4
        )
        for number in range(PATTERNS)
    ]


def _engine(patterns: list[str]) -> Engine:
    """A pack with prompt-injection alone, through the compiler as every pack."""
    step = {"name": "injection", "policy": "prompt-injection", "promptInjection": {"attackPatterns": patterns}}
    pack: dict[str, Any] = {"version": "0.1.0", "chain": [step], "routing": {"targets": [{"name": "provider"}]}}
    target = {"provider": "xai", "model": MODEL, "secretKeyRef": {"env": "BENCHMARK_KEY"}}
    documents = [_document("PolicyPack", "benchmark", pack), _document("ProviderTarget", "provider", target)]
    return Engine(compile_packs(documents, scope=Scope(standalone=True)).bundle, clock_ns=time.perf_counter_ns)


def _document(kind: str, name: str, spec: dict[str, Any]) -> Document:
    return Document(
        content={"apiVersion": "grokwarden.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    )
