"""The policies, by name. Each lives in one module, which defines one ``POLICY``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from grokwarden.policies import audit_logger, core_policy, prompt_injection, safety_filter, system_prompt_guard
from grokwarden.policies.base import Policy

POLICIES: Final[Mapping[str, Policy]] = MappingProxyType(
    {
        module.POLICY.name: module.POLICY
        for module in (core_policy, prompt_injection, safety_filter, system_prompt_guard, audit_logger)
    }
)
