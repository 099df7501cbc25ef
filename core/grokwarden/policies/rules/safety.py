"""Rules of safety-filter, on folded text: how requests for a crime ask, and how answers instruct."""

from typing import Final

from grokwarden.policies.rules.detector import Rule

REQUEST_RULES: Final[tuple[Rule, ...]] = (
    Rule("criminal-activity/weapons", 0.9, r"\bhow (?:to|do i|can i) (?:make|build) a (?:pipe )?bomb\b"),
)
ANSWER_RULES: Final[tuple[Rule, ...]] = (Rule("criminal-activity/weapons", 0.9, r"\bstep 1\b.{0,80}\bbomb\b"),)
