"""Provider targets, resolved: who may use one, and what it is once nothing is left to look up."""

import ssl
from collections.abc import Iterator

from grokwarden.api.providertarget import DEFAULT_BASE_URLS, SHORTHAND, AllowedFrom, SecretKeyRef
from grokwarden.api.quantities import milliseconds, ticks_per_token
from grokwarden.api.v1alpha1 import ProviderTargetSpec
from grokwarden.bundle import CircuitBreaker, KeySource, Lifecycle, Pricing, TargetPart, Timeouts
from grokwarden.compiler.scope import LoadedTarget, Scope
from grokwarden.compiler.selection import namespace_labels, selects
from grokwarden.errors import Problem
from grokwarden.resources import FieldPath
from grokwarden.vocabulary import Provider


def target_part(loaded: LoadedTarget) -> TargetPart:
    """A target with everything resolved."""
    spec, source = loaded.target.spec, loaded.source
    shorthand = spec.provider.startswith(SHORTHAND)
    provider = Provider.XAI if shorthand else Provider(spec.provider)
    breaker, prices = spec.circuit_breaker, spec.pricing
    return TargetPart(
        name=source.full_name,
        provider=provider,
        model=spec.provider.removeprefix(SHORTHAND) if shorthand else spec.model,
        base_url=(spec.base_url or DEFAULT_BASE_URLS[provider]).rstrip("/"),
        key=_key_source(spec.secret_key_ref, source.namespace),
        weight=spec.weight,
        timeouts=Timeouts(
            connect_ms=milliseconds(spec.timeouts.connect),
            first_byte_ms=milliseconds(spec.timeouts.first_byte),
            stream_idle_ms=milliseconds(spec.timeouts.stream_idle),
            total_ms=milliseconds(spec.timeouts.total),
        ),
        circuit_breaker=CircuitBreaker(
            failures=breaker.failures,
            window_ms=milliseconds(breaker.window),
            cooldown_ms=milliseconds(breaker.cooldown),
        ),
        pricing=Pricing(
            source=prices.source.value,
            input_ticks=_ticks(prices.input_per_million),
            cached_input_ticks=_ticks(prices.cached_input_per_million),
            output_ticks=_ticks(prices.output_per_million),
        ),
        lifecycle=Lifecycle(on_retired=spec.lifecycle.on_retired, on_substitution=spec.lifecycle.on_substitution),
        proxy_url=spec.proxy_url,
        ca_bundle=spec.ca_bundle,
    )


def is_allowed(target: LoadedTarget, namespace: str, scope: Scope) -> bool:
    """Whether packs of ``namespace`` may use the target.

    Of a namespace whose labels are not known, only the name counts; where all are known, one that is not there may not.
    """
    allowed = target.target.spec.allowed_namespaces
    if namespace == target.source.namespace or allowed.from_ is AllowedFrom.ALL:
        return True
    if allowed.from_ is AllowedFrom.SAME or allowed.selector is None:
        return False
    if scope.labels_of is not None and namespace not in scope.labels_of:
        return False
    return selects(allowed.selector, namespace_labels(namespace, scope))


def key_problems(loaded: LoadedTarget, scope: Scope) -> Iterator[Problem]:
    """A key that is not named in the form of the place."""
    for path, message in _key_gaps(loaded.target.spec, scope):
        yield loaded.source.problem(("spec", *path), message)


def certificate_problems(loaded: LoadedTarget) -> Iterator[Problem]:
    """A bundle of certificates that holds none."""
    pem = loaded.target.spec.ca_bundle
    if pem is not None and not _holds_certificates(pem):
        message = "holds no certificate that can be read; expected one or more in PEM form"
        yield loaded.source.problem(("spec", "caBundle"), message)


def _key_gaps(spec: ProviderTargetSpec, scope: Scope) -> Iterator[tuple[FieldPath, str]]:
    ref = spec.secret_key_ref
    if ref is not None and scope.standalone and ref.name is not None:
        yield (
            ("secretKeyRef", "name"),
            "there are no Secrets to read standalone; write secretKeyRef: {env: XAI_API_KEY} or {file: path}",
        )
    if ref is not None and not scope.standalone:
        for form in ("env", "file"):
            if getattr(ref, form) is not None:
                message = f"{form} is for standalone use; in a cluster write secretKeyRef: {{name: secret, key: entry}}"
                yield ("secretKeyRef", form), message


def _holds_certificates(pem: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _key_source(ref: SecretKeyRef | None, namespace: str) -> KeySource | None:
    if ref is None:
        return None
    return KeySource(secret=f"{namespace}/{ref.name}/{ref.key}" if ref.name else None, env=ref.env, file=ref.file)


def _ticks(usd_per_million: str | None) -> int | None:
    return None if usd_per_million is None else ticks_per_token(usd_per_million)
