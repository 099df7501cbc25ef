"""The status of a target: whether it can be used, with which key, and whether its model is one that is served.

Nothing is asked of the provider here: what is said of the model is what this program's own catalogue holds.
"""

from grokwarden.bundle import TargetPart
from grokwarden.catalog import Catalog
from grokwarden.vocabulary import Provider
from grokwarden_operator.plan import ConditionDraft, ConditionType, Reason, StatusDraft, Truth
from grokwarden_operator.reconcile.sentences import clipped, problems_text
from grokwarden_operator.reconcile.target_states import TargetState


def target_status(state: TargetState, catalog: Catalog) -> StatusDraft:
    """The target's status, of its newest generation."""
    fact = state.verdict.fact
    return StatusDraft(
        kind=fact.kind,
        namespace=fact.namespace,
        name=fact.name,
        uid=fact.uid,
        generation=fact.generation,
        conditions=(_accepted(state), _secret_resolved(state), _model_available(state, catalog)),
    )


def _accepted(state: TargetState) -> ConditionDraft:
    verdict, generation = state.verdict, state.verdict.fact.generation
    if verdict.newest is None:
        if state.in_force is not None:
            kept = f"generation {verdict.in_force_generation} stays in use"
        else:
            kept = "nothing of it can be used, and calls to it are refused"
        message = f"generation {generation} does not compile; {kept}: {problems_text(verdict.problems)}"
        return _draft(ConditionType.ACCEPTED, Truth.FALSE, Reason.COMPILE_ERROR, message)
    if state.egress:
        message = (
            f"generation {generation} leads where the cluster does not let calls go, so that calls to it are refused: "
            f"{state.egress}"
        )
        return _draft(ConditionType.ACCEPTED, Truth.FALSE, Reason.EGRESS_NOT_ALLOWED, message)
    return _draft(ConditionType.ACCEPTED, Truth.TRUE, Reason.ACCEPTED, f"generation {generation} compiles")


def _secret_resolved(state: TargetState) -> ConditionDraft:
    if state.lookup is None or not state.is_accepted:
        message = "not looked at, as the target is not accepted"
        return _draft(ConditionType.SECRET_RESOLVED, Truth.UNKNOWN, Reason.NOT_ACCEPTED, message)
    lookup = state.lookup
    return _draft(ConditionType.SECRET_RESOLVED, lookup.status, lookup.reason, lookup.message)


def _model_available(state: TargetState, catalog: Catalog) -> ConditionDraft:
    if state.verdict.newest is None:
        message = "not looked at, as the target is not accepted"
        return _draft(ConditionType.MODEL_AVAILABLE, Truth.UNKNOWN, Reason.NOT_ACCEPTED, message)
    status, reason, message = _model(state.verdict.newest.part, catalog)
    return _draft(ConditionType.MODEL_AVAILABLE, status, reason, message)


def _model(part: TargetPart, catalog: Catalog) -> tuple[Truth, Reason, str]:
    if part.model is None:
        return Truth.UNKNOWN, Reason.NOT_CHECKED, "the target names no model: each call brings its own"
    if part.provider is not Provider.XAI:
        return Truth.UNKNOWN, Reason.NOT_CHECKED, f"nothing is known here of the models of provider {part.provider}"
    known = catalog.resolve(part.model)
    if known is None:
        message = f"{part.model} is not among the models known on {catalog.as_of}; calls are sent all the same"
        return Truth.UNKNOWN, Reason.NOT_IN_CATALOGUE, message
    if known.retirement is not None:
        served = f"is served by {known.model.id}" if known.model is not None else "may be served by another one"
        message = (
            f"{part.model} was retired on {known.retirement.retired_on} and {served}; "
            f"name another model (known on {catalog.as_of})"
        )
        return Truth.FALSE, Reason.RETIRED, message
    return Truth.TRUE, Reason.KNOWN, f"{part.model} is among the models known on {catalog.as_of}"


def _draft(kind: ConditionType, status: Truth, reason: Reason, message: str) -> ConditionDraft:
    return ConditionDraft(type=kind, status=status, reason=reason, message=clipped(message))
