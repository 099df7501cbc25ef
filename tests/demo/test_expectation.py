"""A check that can't fail proves nothing."""

import pytest

from grokwarden_sidecar.demo.expectation import NOTHING, AtMost, Expectation, Seen, compare


@pytest.mark.parametrize(
    ("expected", "seen", "holds"),
    [
        (Expectation("metric", "+1"), {"metric": Seen("+1")}, True),
        (Expectation("metric", "+1"), {"metric": Seen("+1", note="since the start")}, True),
        (Expectation("metric", "+1"), {"metric": Seen("+10")}, False),
        (Expectation("metric", "+1"), {"metric": Seen("+0", note="+1")}, False),
        (Expectation("metric", "+1"), {"audit": Seen("+1")}, False),
        (AtMost("in force", 3000, "ms"), {"in force": Seen("3000")}, True),
        (AtMost("in force", 3000, "ms"), {"in force": Seen("3001")}, False),
        (AtMost("in force", 3000, "ms"), {"in force": Seen("soon")}, False),
        (AtMost("in force", 3000, "ms"), {}, False),
    ],
)
def test_an_expectation_holds_only_for_what_was_seen(expected, seen, holds):
    """A note explains; only the value counts."""
    [finding] = compare([expected], seen)

    assert finding.holds is holds


def test_what_was_not_seen_is_said():
    """A step that forgets to look must not pass for one that looked."""
    [finding] = compare([Expectation("audit", "Block")], {})

    assert (finding.holds, finding.happened) == (False, NOTHING)
