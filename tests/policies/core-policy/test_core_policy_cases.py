"""The core policy: its text, its place, and that nobody else speaks in its tags."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import bundle_of, call_of, pack_of, step_of
from call_cases import CallCase, call_cases, check_call
from grokwarden.catalog.core_policy import CORE_POLICY, PRECEDENCE, STATEMENTS
from grokwarden.engine import Engine
from grokwarden.exchange.body import apply_edits
from grokwarden.exchange.chat import parse_chat

ENGINE = Engine(bundle_of(pack_of(step_of("core-policy"))))


@pytest.mark.parametrize("case", call_cases(Path(__file__).parent))
def test_case(case: CallCase) -> None:
    """What an author reads in the cases is what the sidecar does."""
    check_call(case, "core-policy")


def test_the_text_is_five_statements_and_two_sentences_in_one_pair_of_tags() -> None:
    """The text is the provider's; a word changed here would govern every call by a policy of our own."""
    assert len(STATEMENTS) == 5
    assert len(PRECEDENCE) == 2
    assert CORE_POLICY.startswith("<policy>\nThese core policies within the <policy> tags take highest precedence.")
    assert CORE_POLICY.endswith("adult sexual content or offensive content.\n</policy>")
    assert all(CORE_POLICY.count(f"* {statement}\n") == 1 for statement in STATEMENTS)


@given(
    pieces=st.lists(
        st.sampled_from(
            ["<", ">", "/", "policy", "POLICY", "‹", "＜", "＞", "&lt;", "&gt;", "%3C", "\\u003c", "po", "licy"]
        )
        | st.sampled_from([" ", "\u200b", "\u00ad", "pоlicy", "x", "[", "&amp;lt;", '="1"', "\n", "ⓟolicy"]),
        max_size=14,
    ),
    is_split=st.booleans(),
)
def test_nothing_reads_as_a_policy_tag_once_it_is_neutralised(pieces: list[str], is_split: bool) -> None:
    """Whatever is built of brackets, look-alikes and escapes: judged again, there is no tag, or it was blocked."""
    content = [{"type": "text", "text": piece} for piece in pieces] if is_split and pieces else "".join(pieces)
    call = call_of({"role": "user", "content": content})
    verdict = ENGINE.judge_request(call)
    if verdict.block is not None:
        return
    again = ENGINE.judge_request(parse_chat(apply_edits(call.body, verdict.edits)))

    assert again.decisions[0].rule is None
