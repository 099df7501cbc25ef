"""From what is listed and what sidecars have said, to what each pod gets and what each status says. Pure.

It goes one way: targets and their keys; packs that are in force; pods, in groups that are treated alike; for each group
a bundle; and with those bundles the sidecars' reports are compared. Nothing here remembers, waits or writes: the same
input gives the same plan, so it never matters which event made somebody ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from grokwarden.catalog import load_catalog
from grokwarden.compiler.joining import TargetsView
from grokwarden.compiler.scope import Scope
from grokwarden.compiler.units import CompiledPack
from grokwarden_operator.listing import Listing
from grokwarden_operator.plan import Plan, StatusDraft
from grokwarden_operator.reconcile.compiling import PackVerdict, Verdicts
from grokwarden_operator.reconcile.hosts import HostRule
from grokwarden_operator.reconcile.pack_refs import GroupRefs, RefTrouble, ref_troubles
from grokwarden_operator.reconcile.pack_status import pack_status
from grokwarden_operator.reconcile.pod_groups import PodGroup, group_pods, pod_configs
from grokwarden_operator.reconcile.settling import is_to_be_kept
from grokwarden_operator.reconcile.tallies import tally_pack
from grokwarden_operator.reconcile.target_states import TargetState, target_states, targets_view
from grokwarden_operator.reconcile.target_status import target_status
from grokwarden_operator.reports import SidecarReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSettings:
    """What of the cluster's settings decides.

    Attributes:
        root_namespace: The operator's own, whose packs come first everywhere.
        egress_hosts: Where targets may lead; empty: anywhere but to this machine and link. Read where settings are,
            so that an entry that is none stops the start, and does not leave the list empty.
    """

    root_namespace: str
    egress_hosts: tuple[HostRule, ...] = ()


def reconcile(
    listing: Listing,
    verdicts: Verdicts,
    reports: Mapping[str, SidecarReport],
    settings: ReconcileSettings,
    *,
    settling: bool = False,
) -> Plan:
    """Everything that follows.

    Args:
        listing: What is there, complete.
        verdicts: On the packs and targets of this very listing.
        reports: What sidecars have said, by pod uid.
        settings: Of the cluster.
        settling: Sidecars are still coming back after the operator's start: a status that is worse only for want of
            their reports is left out of the plan, so that what stands there stays.
    """
    states = target_states(verdicts.targets, listing.secrets, settings.egress_hosts)
    view = targets_view(states)
    scope = Scope(
        root_namespace=settings.root_namespace,
        labels_of={name: namespace.labels for name, namespace in listing.namespaces.items()},
    )
    packs = [verdicts.packs[name] for name in sorted(verdicts.packs)]
    groups = group_pods(
        listing.pods.values(),
        selecting=[pack for verdict in packs for pack in (verdict.newest, verdict.in_force) if pack is not None],
        in_force=[verdict.in_force for verdict in packs if verdict.in_force is not None],
        targets=view,
        scope=scope,
    )
    surroundings = _Surroundings(
        listing=listing, reports=reports, states=states, view=view, scope=scope, groups=groups, refs=GroupRefs(groups)
    )
    drafts = [_pack_draft(verdict, surroundings, settling=settling) for verdict in packs]
    drafts += (target_status(state, load_catalog()) for state in states.values())
    lookups = {name: state.lookup for name, state in states.items() if state.lookup is not None}
    return Plan(pods=pod_configs(groups, lookups), statuses=tuple(draft for draft in drafts if draft is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    """All that a pack's status depends on, beside the pack."""

    listing: Listing
    reports: Mapping[str, SidecarReport]
    states: Mapping[str, TargetState]
    view: TargetsView
    scope: Scope
    groups: tuple[PodGroup, ...]
    refs: GroupRefs


def _pack_draft(verdict: PackVerdict, around: _Surroundings, *, settling: bool) -> StatusDraft | None:
    """The pack's status; ``None`` to leave alone what stands there."""
    is_newest = verdict.is_good  # then the newest generation is what is in force
    tally = tally_pack(
        verdict.newest or verdict.in_force,
        around.groups,
        around.reports,
        around.listing.namespaces,
        is_in_force=is_newest,
    )
    troubles = _troubles(verdict.newest, around, is_in_force=is_newest)
    notes = around.refs.notes_of(verdict.fact.full_name) if is_newest else ()
    draft = pack_status(verdict, tally, troubles, notes)
    return None if settling and is_to_be_kept(draft, tally, verdict.fact.status) else draft


def _troubles(pack: CompiledPack | None, around: _Surroundings, *, is_in_force: bool) -> tuple[RefTrouble, ...]:
    if pack is None:
        return ()
    return ref_troubles(pack, around.refs, around.view, around.states, scope=around.scope, is_in_force=is_in_force)
