"""What the sidecars have said of themselves, pod by pod. Only a stream's own pod can put a line in here."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """A sidecar's answer on one pack.

    Attributes:
        digest: Of the part that the answered manifest named: a part can change within a generation.
    """

    name: str
    uid: str
    generation: int
    digest: str
    applied: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarReport:
    """The newest that one sidecar has said.

    Attributes:
        is_current: Its stream is open, or was until a moment ago. Else nothing is known of it any more.
        manifest: The version that it answered last; empty before its first answer since its process began.
        packs: Its answer on each pack of that manifest, by ``namespace/name``.
    """

    pod_uid: str
    is_current: bool
    manifest: str
    packs: Mapping[str, PackReport]
