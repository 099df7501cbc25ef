"""The operator's heart without a cluster: listings in, plans out, and sidecars that answer what they were given."""

from collections.abc import Callable, Iterable, Mapping

from grokwarden_operator.listing import Kind, Listing, SecretTrouble
from grokwarden_operator.plan import ConditionDraft, Plan, StatusDraft
from grokwarden_operator.reconcile.compiling import ResourceCompiler, StoredResource, Verdicts
from grokwarden_operator.reconcile.hosts import rules_of
from grokwarden_operator.reconcile.reconcile import ReconcileSettings, reconcile
from grokwarden_operator.reports import PackReport, SidecarReport
from listings import ROOT, Fact, listing

Reports = Mapping[str, SidecarReport]


class Rounds:
    """One operator's life: it remembers what was good, as the compiler does, and nothing else.

    Attributes:
        verdicts: Of the last round.
    """

    def __init__(self, *, egress_hosts: Iterable[str] = (), stored: Mapping[str, StoredResource] | None = None) -> None:
        self._compiler = ResourceCompiler(root_namespace=ROOT, stored=stored or {})
        self._settings = ReconcileSettings(root_namespace=ROOT, egress_hosts=rules_of(egress_hosts))
        self.verdicts = Verdicts(packs={}, targets={}, good={})

    def plan(
        self,
        *facts: Fact,
        reports: Reports | None = None,
        settling: bool = False,
        troubles: Mapping[str, SecretTrouble] | None = None,
    ) -> Plan:
        """What follows from these facts."""
        return self.plan_of(listing(*facts, troubles=troubles), reports=reports, settling=settling)

    def plan_of(self, there: Listing, *, reports: Reports | None = None, settling: bool = False) -> Plan:
        """What follows from this listing."""
        self.verdicts = self._compiler.verdicts(there)
        return reconcile(there, self.verdicts, reports or {}, self._settings, settling=settling)

    def answered(self, *facts: Fact, **options: object) -> Plan:
        """What follows once every sidecar has applied what it was given."""
        return self.plan(*facts, reports=applied(self.plan(*facts)), **options)


def applied(plan: Plan) -> dict[str, SidecarReport]:
    """Every sidecar has applied all that it was given."""
    return {uid: report(plan, uid) for uid in plan.pods}


def report(
    plan: Plan, uid: str, *, change: Callable[[PackReport], PackReport] = lambda pack: pack, is_current: bool = True
) -> SidecarReport:
    """A sidecar's answer on all that it was given, each pack's changed as wished."""
    manifest = plan.pods[uid].bundle.manifest
    packs = (
        PackReport(name=ref.name, uid=ref.uid, generation=ref.generation, digest=ref.digest, applied=True)
        for ref in manifest.packs
    )
    return SidecarReport(
        pod_uid=uid,
        is_current=is_current,
        manifest=plan.pods[uid].bundle.version,
        packs={pack.name: change(pack) for pack in packs},
    )


def draft_of(plan: Plan, name: str = "shop/gateway", kind: Kind = Kind.POLICY_PACK) -> StatusDraft:
    """The status of a pack, or of a target."""
    (found,) = [draft for draft in plan.statuses if (draft.kind, f"{draft.namespace}/{draft.name}") == (kind, name)]
    return found


def condition(plan: Plan, kind: str, name: str = "shop/gateway", resource: Kind = Kind.POLICY_PACK) -> ConditionDraft:
    """A condition of a pack, or of a target."""
    (found,) = [each for each in draft_of(plan, name, resource).conditions if each.type == kind]
    return found


def told(plan: Plan, kind: str, name: str = "shop/gateway", resource: Kind = Kind.POLICY_PACK) -> tuple[str, str]:
    """A condition's status and reason."""
    found = condition(plan, kind, name, resource)
    return found.status.value, found.reason.value


def pack_names(plan: Plan, uid: str) -> list[str]:
    """The packs that a pod's sidecar is to run, in order."""
    return [ref.name for ref in plan.pods[uid].bundle.manifest.packs]
