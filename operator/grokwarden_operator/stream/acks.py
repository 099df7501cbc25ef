"""What one sidecar has been sent and has answered. An answer counts only for what was really sent to that very pod."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grokwarden.bundle import Manifest, PartRef
from grokwarden.config_stream import Ack, AckedPack
from grokwarden.errors import GrokwardenError
from grokwarden_operator.reports import PackReport

REMEMBERED_MANIFESTS: Final = 16
"""Of those sent to a pod. What is older has long been superseded, and an answer to it is worth nothing."""


class AckProblem(StrEnum):
    """What is wrong with an answer."""

    UNKNOWN_MANIFEST = "unknown_manifest"
    OTHER_PACKS = "other_packs"
    NO_STREAM = "no_stream"
    OTHER_INSTANCE = "other_instance"


class AckRefused(GrokwardenError):
    """An answer that changes nothing, since it does not fit what was sent."""

    def __init__(self, problem: AckProblem, message: str) -> None:
        self.problem = problem
        super().__init__(f"{message}; nothing was changed")


@dataclass(frozen=True, slots=True)
class _Sent:
    order: int
    manifest: Manifest


class Answers:
    """One sidecar process: the manifests that it was sent, and the newest of them that it has answered.

    Attributes:
        manifest: The version that was answered last; empty before the first answer.
        packs: The answer on each pack of it, by ``namespace/name``.
    """

    __slots__ = ("_answered", "_order", "_sent", "manifest", "packs")

    def __init__(self) -> None:
        self._sent: OrderedDict[str, _Sent] = OrderedDict()
        self._order = 0
        self._answered = 0
        self.manifest = ""
        self.packs: Mapping[str, PackReport] = {}

    def remember(self, version: str, manifest: Manifest) -> None:
        """The manifest is being sent: an answer to it is to be expected."""
        self._order += 1
        self._sent[version] = _Sent(self._order, manifest)
        self._sent.move_to_end(version)
        if len(self._sent) > REMEMBERED_MANIFESTS:
            self._sent.popitem(last=False)

    def take(self, ack: Ack) -> bool:
        """Whether anything is different now. An answer to an older manifest than the one answered changes nothing.

        Raises:
            AckRefused: It answers something that was not sent.
        """
        sent = self._sent.get(ack.manifest)
        if sent is None:
            raise AckRefused(
                AckProblem.UNKNOWN_MANIFEST,
                f"the answered manifest is none of the last {REMEMBERED_MANIFESTS} that this pod was sent",
            )
        packs = _reports(ack, sent.manifest)
        if sent.order < self._answered or (ack.manifest == self.manifest and packs == self.packs):
            return False
        self._answered = sent.order
        self.manifest, self.packs = ack.manifest, packs
        return True


def _reports(ack: Ack, manifest: Manifest) -> Mapping[str, PackReport]:
    refs = {ref.name: ref for ref in manifest.packs}
    answered = {pack.name: pack for pack in ack.packs}
    if len(answered) != len(ack.packs) or answered.keys() != refs.keys():
        raise AckRefused(
            AckProblem.OTHER_PACKS,
            f"the answer names {len(ack.packs)} packs; expected each of the manifest's {len(refs)} once, and no other",
        )
    return {name: _report(pack, refs[name]) for name, pack in answered.items()}


def _report(pack: AckedPack, ref: PartRef) -> PackReport:
    if (pack.uid, pack.generation) != (ref.uid, ref.generation):
        raise AckRefused(
            AckProblem.OTHER_PACKS,
            f"pack {ref.name}: the answer is on another object or generation than the manifest's ({ref.generation})",
        )
    return PackReport(
        name=ref.name,
        uid=ref.uid,
        generation=ref.generation,
        digest=ref.digest,
        applied=pack.applied,
        reason=pack.reason,
        message=pack.message,
    )
