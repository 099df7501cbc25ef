"""The policies, by name. Each lives in one module, which defines one ``POLICY``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from grokwarden.policies.audit_logger import POLICY as AUDIT_LOGGER
from grokwarden.policies.base import Policy
from grokwarden.policies.core_policy import POLICY as CORE_POLICY
from grokwarden.policies.prompt_injection import POLICY as PROMPT_INJECTION
from grokwarden.policies.safety_filter import POLICY as SAFETY_FILTER
from grokwarden.policies.system_prompt_guard import POLICY as SYSTEM_PROMPT_GUARD

POLICIES: Final[Mapping[str, Policy]] = MappingProxyType(
    {
        policy.name: policy
        for policy in (CORE_POLICY, PROMPT_INJECTION, SAFETY_FILTER, SYSTEM_PROMPT_GUARD, AUDIT_LOGGER)
    }
)
