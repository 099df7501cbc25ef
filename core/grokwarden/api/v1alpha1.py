"""The API group's version ``v1alpha1``: schemas, reference and file validation all follow from these two models."""

from typing import Final

from grokwarden.api.chain import BLOCKS, ChainStep, PolicyName, block_name
from grokwarden.api.metadata import API_VERSION, GROUP, VERSION, ObjectMeta
from grokwarden.api.packtest import PackTestSpec
from grokwarden.api.policypack import PackRouting, PolicyPack, PolicyPackSpec, TargetReference
from grokwarden.api.providertarget import ProviderTarget, ProviderTargetSpec
from grokwarden.api.status import PolicyPackStatus, ProviderTargetStatus

Resource = PolicyPack | ProviderTarget

KINDS: Final[dict[str, type[PolicyPack] | type[ProviderTarget]]] = {
    "PolicyPack": PolicyPack,
    "ProviderTarget": ProviderTarget,
}

__all__ = [
    "API_VERSION",
    "BLOCKS",
    "GROUP",
    "KINDS",
    "VERSION",
    "ChainStep",
    "ObjectMeta",
    "PackRouting",
    "PackTestSpec",
    "PolicyName",
    "PolicyPack",
    "PolicyPackSpec",
    "PolicyPackStatus",
    "ProviderTarget",
    "ProviderTargetSpec",
    "ProviderTargetStatus",
    "Resource",
    "TargetReference",
    "block_name",
]
