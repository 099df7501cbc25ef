"""The status of a pack: of its newest generation, and of nothing else.

``Programmed`` is true only where that generation is accepted, enabled and has passed its tests, at least one pod is
meant, and every meant pod's sidecar has acked it, with the digest that the pod is to have. So it is false again as soon
as a newer generation is there, also one that is broken while the one before it is enforced everywhere. References that
can't be followed don't make it false: what the pack enforces is enforced, and a call without a target is refused.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from grokwarden.compiler.coverage import CoverageRow, Enforcement, path_text
from grokwarden.errors import Problem
from grokwarden_operator.plan import ConditionDraft, ConditionType, GapDraft, Reason, StatusDraft, Truth
from grokwarden_operator.reconcile.compiling import PackVerdict
from grokwarden_operator.reconcile.pack_refs import RefTrouble
from grokwarden_operator.reconcile.sentences import clipped, count_text, names_text, problems_text
from grokwarden_operator.reconcile.tallies import PackTally, Standing

MAX_GAPS: Final = 512
_GAPS: Final = {
    Enforcement.NOT_SEEN: "the policy has nothing to look at there, or can't look there",
    Enforcement.NOT_SELECTED: "the step's phases leave it out",
}


def pack_status(
    verdict: PackVerdict, tally: PackTally, troubles: tuple[RefTrouble, ...], notes: Iterable[Problem] = ()
) -> StatusDraft:
    """The pack's status.

    Args:
        verdict: On the pack.
        tally: Of the pods that it is meant for.
        troubles: Of its references, the worst first.
        notes: What is accepted in it and may surprise on some pod, beside what may on any.
    """
    fact = verdict.fact
    conditions = (
        _accepted(verdict, notes),
        _resolved_refs(verdict, troubles),
        _tests_passed(verdict),
        _programmed(verdict, tally),
    )
    return StatusDraft(
        kind=fact.kind,
        namespace=fact.namespace,
        name=fact.name,
        uid=fact.uid,
        generation=fact.generation,
        conditions=conditions,
        tally=tally.draft,
        nacks=tally.nacks,
        gaps=tuple(_gaps(verdict.in_force.coverage if verdict.in_force is not None else ()))[:MAX_GAPS],
    )


def _accepted(verdict: PackVerdict, notes: Iterable[Problem]) -> ConditionDraft:
    if verdict.newest is None:
        message = (
            f"generation {verdict.fact.generation} does not compile; {_what_is_in_force(verdict)}: "
            f"{problems_text(verdict.problems)}"
        )
        return _draft(ConditionType.ACCEPTED, Truth.FALSE, Reason.COMPILE_ERROR, message)
    message = f"generation {verdict.fact.generation} compiles"
    if not verdict.newest.loaded.pack.spec.enabled:
        message += "; it is not enabled, so nothing of it is enforced"
    if noted := problems_text((*verdict.newest.warnings, *notes)):
        message += f"; note: {noted}"
    return _draft(ConditionType.ACCEPTED, Truth.TRUE, Reason.ACCEPTED, message)


def _resolved_refs(verdict: PackVerdict, troubles: tuple[RefTrouble, ...]) -> ConditionDraft:
    if verdict.newest is None:
        message = "not looked at, as the pack is not accepted"
        return _draft(ConditionType.RESOLVED_REFS, Truth.UNKNOWN, Reason.NOT_ACCEPTED, message)
    if troubles:
        worst = troubles[0].reason
        status = Truth.UNKNOWN if worst is Reason.SECRET_UNREAD else Truth.FALSE
        message = f"calls that need one of these are refused: {problems_text(t.problem for t in troubles)}"
        return _draft(ConditionType.RESOLVED_REFS, status, worst, message)
    routing = verdict.newest.loaded.pack.spec.routing
    message = "every target that it names can be used" if routing is not None else "it names no targets"
    return _draft(ConditionType.RESOLVED_REFS, Truth.TRUE, Reason.RESOLVED_REFS, message)


def _tests_passed(verdict: PackVerdict) -> ConditionDraft:
    if verdict.newest is None:
        message = "not run, as the pack does not compile"
        return _draft(ConditionType.TESTS_PASSED, Truth.UNKNOWN, Reason.NOT_RUN, message)
    count = len(verdict.newest.tests)
    if verdict.failures:
        message = (
            f"{len(verdict.failures)} of {count_text(count, 'test')} failed; {_what_is_in_force(verdict)}: "
            f"{problems_text(verdict.failures)}"
        )
        return _draft(ConditionType.TESTS_PASSED, Truth.FALSE, Reason.TESTS_FAILED, message)
    if not count:
        return _draft(ConditionType.TESTS_PASSED, Truth.TRUE, Reason.NO_TESTS, "the pack carries no tests")
    return _draft(ConditionType.TESTS_PASSED, Truth.TRUE, Reason.TESTS_PASSED, f"{count_text(count, 'test')} passed")


def _what_is_in_force(verdict: PackVerdict) -> str:
    kept = verdict.in_force
    if kept is None:
        return "no generation of this pack was ever good, so nothing of it is enforced"
    if not kept.loaded.pack.spec.enabled:
        return f"generation {verdict.in_force_generation}, which is not enabled, stays"
    return f"generation {verdict.in_force_generation} stays in force"


def _programmed(verdict: PackVerdict, tally: PackTally) -> ConditionDraft:
    """The most useful reason why not, if there is one: what its author can mend comes before what time mends."""
    reason, message = _shortfall(verdict, tally)
    status = Truth.TRUE if reason is Reason.PROGRAMMED else Truth.FALSE
    return _draft(ConditionType.PROGRAMMED, status, reason, message)


def _shortfall(verdict: PackVerdict, tally: PackTally) -> tuple[Reason, str]:
    generation = verdict.fact.generation
    if verdict.newest is None:
        return Reason.NOT_ACCEPTED, f"generation {generation} is not accepted; {_what_is_in_force(verdict)}"
    if verdict.failures:
        return Reason.TESTS_FAILED, f"generation {generation} fails its own tests; {_what_is_in_force(verdict)}"
    if not verdict.newest.loaded.pack.spec.enabled:
        return Reason.DISABLED, "the pack is not enabled: set spec.enabled to true to enforce it"
    if not tally.desired:
        return Reason.NO_MATCHING_PODS, "no governed pod matches; see spec.selector, and whether pods have a sidecar"
    acked, desired = tally.count(Standing.ACKED), tally.desired
    if acked == desired:
        return Reason.PROGRAMMED, f"{acked} of {desired} run generation {generation}"
    return _lagging_reason(tally), _lagging_text(tally, generation)


def _lagging_reason(tally: PackTally) -> Reason:
    if tally.count(Standing.NACKED):
        return Reason.NACKED
    return Reason.SIDECARS_MISSING if tally.count(Standing.MISSING) else Reason.PENDING


def _lagging_text(tally: PackTally, generation: int) -> str:
    waiting = sorted((*tally.names[Standing.OTHER], *tally.names[Standing.SILENT]))
    parts = (
        (tally.names[Standing.NACKED], "refused by"),
        (tally.names[Standing.MISSING], "no sidecar in"),
        (waiting, "waiting for"),
    )
    texts = [f"{words} {len(names)}: {names_text(names)}" for names, words in parts if names]
    return "; ".join((f"{tally.count(Standing.ACKED)} of {tally.desired} run generation {generation}", *texts))


def _gaps(coverage: Iterable[CoverageRow]) -> Iterator[GapDraft]:
    for row in coverage:
        if row.enforcement in _GAPS:
            path = path_text(row.endpoint, row.phase, stream=row.stream)
            yield GapDraft(step=row.step, path=path, reason=_GAPS[row.enforcement])


def _draft(kind: ConditionType, status: Truth, reason: Reason, message: str) -> ConditionDraft:
    return ConditionDraft(type=kind, status=status, reason=reason, message=clipped(message))
