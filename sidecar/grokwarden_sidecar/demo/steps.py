"""The walk: each step with what it expects, in the order in which they are taken."""

from dataclasses import dataclass
from typing import Final

from grokwarden_sidecar.demo.acts import (
    ANSWERED,
    APPLIED,
    ENCODED,
    FIRST_CHUNK,
    FORGED,
    FORGED_READ,
    INJECTION,
    LOOK_ALIKE,
    NEWS,
    REFUSED,
    REJECTED,
    Act,
    add_rule,
    asking,
    calling,
    embed,
    forge_tags,
    misspell_policy,
    send_core_policy,
    stream,
    turn_criminal,
)
from grokwarden_sidecar.demo.application import user
from grokwarden_sidecar.demo.calls import answered, blocked, decisions, times
from grokwarden_sidecar.demo.evidence import FORGED_COPY, GENUINE_LOG, key_left_behind, verified
from grokwarden_sidecar.demo.expectation import AtMost, Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the walk.

    Attributes:
        says: What the application sends, if that tells the reader more than the title.
        act: Does it, and says what was seen, by the subjects of ``expects``.
    """

    title: str
    expects: tuple[Expectation | AtMost, ...]
    act: Act
    says: str = ""


WALK: Final = (
    Step(
        title="An allowed call",
        says="Hello",
        expects=answered(ANSWERED),
        act=calling(asking("Hello"), ANSWERED),
    ),
    Step(
        title="A stream",
        expects=(*answered(FIRST_CHUNK), Expectation("chunks", "more than one")),
        act=stream,
    ),
    Step(
        title="A prompt injection is blocked, and the provider never sees it",
        says=INJECTION,
        expects=blocked("prompt-injection", "injection", "ignore-instructions"),
        act=calling(asking(INJECTION), decisions("prompt-injection", "Block")),
    ),
    Step(
        title="So is one in Base64",
        says=ENCODED,
        expects=blocked("prompt-injection", "injection", "ignore-instructions"),
        act=calling(asking(ENCODED), decisions("prompt-injection", "Block")),
    ),
    Step(
        title="So is one in Cyrillic letters that look like Latin ones",
        says=LOOK_ALIKE,
        expects=blocked("prompt-injection", "injection", "ignore-instructions"),
        act=calling(asking(LOOK_ALIKE), decisions("prompt-injection", "Block")),
    ),
    Step(
        title="A call without the required system prompt is refused",
        expects=blocked("system-prompt-guard", "prefix", "system-prompt-missing"),
        act=calling(lambda application: application.ask(user("Hello")), decisions("system-prompt-guard", "Block")),
    ),
    Step(
        title="Forged <policy> tags lose their meaning",
        says=FORGED,
        expects=(
            Expectation("client", "finish_reason stop"),
            Expectation("provider", times(1)),
            Expectation("received", FORGED_READ),
            Expectation("metric", "+1", about=str(decisions("core-policy", "Redact"))),
            Expectation("audit", "Redact 200 core/forged-tag"),
        ),
        act=forge_tags,
    ),
    Step(
        title="The core policy stands first and once, also if the client sent it",
        expects=(
            *answered(decisions("core-policy", "Allow")),
            Expectation("received", "in every call"),
        ),
        act=send_core_policy,
    ),
    Step(
        title="A streamed answer that turns criminal is cut",
        expects=(
            Expectation("client", "finish_reason content_filter"),
            Expectation("policy", "safety-filter, rule criminal-activity/drug-recipe, step safety"),
            Expectation("delivered", "the beginning, not the end"),
            Expectation("provider", times(1)),
            Expectation("metric", "+1", about=str(decisions("safety-filter", "Block"))),
            Expectation("audit", "Block 200 safety/criminal-activity/drug-recipe"),
        ),
        act=turn_criminal,
    ),
    Step(
        title="A new rule takes effect in the running process",
        says=NEWS,
        expects=(
            Expectation("before", "finish_reason stop"),
            AtMost("in force", 3000, "ms"),
            Expectation("applied", "+1", about=str(APPLIED)),
            *blocked("prompt-injection", "injection", "attack-pattern-1"),
        ),
        act=add_rule,
    ),
    Step(
        title="A bad edit keeps the last good rules",
        expects=(
            Expectation("readyz", "200 ready / the newest configuration is refused (keeping the last good one):"),
            Expectation(
                "reason", 'PolicyPack default/xai-gateway spec.chain[1].policy: unknown policy "prompt-injektion"'
            ),
            Expectation("rejected", "+1", about=str(REJECTED)),
            *blocked("prompt-injection", "injection", "attack-pattern-1"),
            Expectation("mended", "ready"),
        ),
        act=misspell_policy,
    ),
    Step(
        title="A route that nobody governs is refused",
        says="POST /v1/embeddings",
        expects=(
            Expectation("client", "NotFoundError 404 unknown_endpoint"),
            Expectation("provider", times(0)),
            Expectation("metric", "+1", about=str(REFUSED)),
            Expectation("audit", "Unknown 404"),
        ),
        act=embed,
    ),
    Step(
        title="The application never held the provider's key",
        expects=(
            Expectation("sent", "the application's own key"),
            Expectation("received", "the sidecar's key"),
            Expectation("forwarded", "in none", about="the application's key:"),
            Expectation("leaked", "in none", about="the sidecar's key:"),
        ),
        act=key_left_behind,
    ),
    Step(
        title="The audit log proves itself, and gives away a copy with one byte changed",
        expects=(*GENUINE_LOG, *FORGED_COPY),
        act=verified,
    ),
)
