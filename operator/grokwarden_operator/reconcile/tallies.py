"""Which pods a pack is meant for, and what each one's sidecar says of exactly this generation with this digest.

A pod is meant if the pack selects it, it is live, and somebody said that it should be governed: it has a sidecar, or
its namespace is opted in and it is not opted out, or the pack's ``podSelector`` names labels. The last counts a pod
also where its owner opted it out: whoever wrote the pack has to see that it is not enforced there. A selector that
names nothing does not make a pod without sidecar meant: a root pack would miss every pod of the cluster.

Only an answer of a sidecar that is there now counts, and only if it is on this object (uid), this generation and the
digest that this very pod is to have. Anything else is no answer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from grokwarden.api.status import REASON_PATTERN
from grokwarden.bundle import PartRef
from grokwarden.compiler.joining import governs
from grokwarden.compiler.units import CompiledPack
from grokwarden.config_stream import MAX_MESSAGE_CHARACTERS, MAX_REASON_CHARACTERS
from grokwarden_operator.listing import NamespaceFact, PodFact
from grokwarden_operator.plan import NackDraft, SidecarTally
from grokwarden_operator.reconcile.pod_groups import PodGroup
from grokwarden_operator.reconcile.sentences import clipped, one_line
from grokwarden_operator.reports import SidecarReport

MAX_NACKS: Final = 10
UNNAMED_REASON: Final = "Refused"
_REASON: Final = re.compile(REASON_PATTERN)


class Standing(Enum):
    """What is known of one pod and one pack."""

    ACKED = auto()
    NACKED = auto()
    OTHER = auto()  # its sidecar speaks of something else
    SILENT = auto()  # its sidecar is not there, or has not answered since it began
    MISSING = auto()  # it has no sidecar


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTally:
    """The meant pods of one pack, by what is known of them.

    Attributes:
        names: ``namespace/name`` of the pods of each standing, sorted.
        nacks: At most ``MAX_NACKS``, by pod.
    """

    names: Mapping[Standing, Sequence[str]]
    nacks: tuple[NackDraft, ...]

    def count(self, standing: Standing) -> int:
        """How many pods."""
        return len(self.names[standing])

    @property
    def desired(self) -> int:
        """How many pods are meant."""
        return sum(len(names) for names in self.names.values())

    @property
    def draft(self) -> SidecarTally:
        """As a status has it."""
        return SidecarTally(
            desired=self.desired,
            acked=self.count(Standing.ACKED),
            nacked=self.count(Standing.NACKED),
            stale=self.count(Standing.OTHER) + self.count(Standing.SILENT),
            missing=self.count(Standing.MISSING),
        )


def tally_pack(
    pack: CompiledPack | None,
    groups: Sequence[PodGroup],
    reports: Mapping[str, SidecarReport],
    namespaces: Mapping[str, NamespaceFact],
    *,
    is_in_force: bool,
) -> PackTally:
    """What is known of each pod that the pack is meant for.

    Args:
        pack: Whose selector counts; ``None`` where nobody knows what the author wants to select.
        groups: All live pods; those that are ending run it too, and are not counted.
        reports: By pod uid.
        namespaces: By name.
        is_in_force: Sidecars are to run this very generation of it; if not, none can have acked it.
    """
    names: dict[Standing, list[str]] = {standing: [] for standing in Standing}
    nacks: list[NackDraft] = []
    for pod, wanted in _meant(pack, groups, namespaces) if pack is not None else ():
        report = reports.get(pod.uid)
        standing = _standing(pod, wanted if is_in_force else None, report)
        names[standing].append(f"{pod.namespace}/{pod.name}")
        if standing is Standing.NACKED and report is not None and wanted is not None:
            nacks.append(_nack(pod, wanted, report))
    nacks.sort(key=lambda nack: nack.pod)
    return PackTally(
        names={standing: sorted(found) for standing, found in names.items()}, nacks=tuple(nacks[:MAX_NACKS])
    )


def _meant(
    pack: CompiledPack, groups: Sequence[PodGroup], namespaces: Mapping[str, NamespaceFact]
) -> Iterator[tuple[PodFact, PartRef | None]]:
    names_labels, home = _names_labels(pack), pack.loaded.source.namespace
    for group in groups:
        if home not in {group.namespace, group.scope.root_namespace} or not governs(pack, group.scope):
            continue
        space = namespaces.get(group.namespace)
        is_opted_in = space is not None and space.is_opted_in
        for pod in group.pods:
            if pod.is_ending:
                continue
            if pod.has_sidecar or names_labels or (is_opted_in and not pod.is_opted_out):
                yield pod, group.wanted.get(pack.name)


def _names_labels(pack: CompiledPack) -> bool:
    selector = pack.loaded.pack.spec.selector
    by_pod = selector.pod_selector if selector is not None else None
    return by_pod is not None and bool(by_pod.match_labels or by_pod.match_expressions)


def _standing(pod: PodFact, wanted: PartRef | None, report: SidecarReport | None) -> Standing:
    if not pod.has_sidecar:
        return Standing.MISSING
    if report is None or report.pod_uid != pod.uid or not report.is_current or not report.manifest:
        return Standing.SILENT
    answer = report.packs.get(wanted.name) if wanted is not None else None
    if answer is None or wanted is None:
        return Standing.OTHER
    if (answer.uid, answer.generation, answer.digest) != (wanted.uid, wanted.generation, wanted.digest):
        return Standing.OTHER
    return Standing.ACKED if answer.applied else Standing.NACKED


def _nack(pod: PodFact, wanted: PartRef, report: SidecarReport) -> NackDraft:
    """A refusal, in bounds: what a sidecar says must neither fill a status nor keep it from being written."""
    answer = report.packs[wanted.name]
    is_word = len(answer.reason) <= MAX_REASON_CHARACTERS and _REASON.fullmatch(answer.reason) is not None
    return NackDraft(
        pod=pod.name,
        generation=wanted.generation,
        reason=answer.reason if is_word else UNNAMED_REASON,
        message=clipped(one_line(answer.message), MAX_MESSAGE_CHARACTERS) or "the sidecar gives no reason",
    )
