"""How the API server is reached, and as whom: from a kubeconfig file, or from the pod's own service account.

kubernetes' own loaders read both, with all their forms of credentials; requests are plain aiohttp. Credentials are
asked for with each request: the kubelet exchanges the token in a pod's file about every hour.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
from kubernetes.aio import config as loaders
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from yaml import YAMLError
from yarl import URL

from grokwarden_operator.cluster.errors import ClusterConfigError
from grokwarden_operator.cluster.shallow_json import ShallowResponse

SERVICE_ACCOUNT_DIR: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LOAD_SECONDS: Final = 30.0
_RELOAD_SECONDS: Final = 2.0
_UNAUTHORIZED: Final = 401


class Connection:
    """An API server's address, its authority, and the credentials. Its sessions may belong to any thread's loop.

    Attributes:
        server: Its URL, without a slash at the end; ``path`` is that URL's path.

    Args:
        reload: Reads the configuration anew, for when its credentials are believed no more.
    """

    def __init__(
        self, configuration: Configuration, reload: Callable[[], Awaitable[Configuration]] | None = None
    ) -> None:
        self._configuration = configuration
        self._reload = reload
        self._reloaded_at = -_RELOAD_SECONDS
        self._authorization: str | None = None
        self.server = str(configuration.host).rstrip("/")
        self.path = URL(self.server).path.rstrip("/")
        self._origin = URL(self.server).origin()
        self._tls = _tls(configuration)

    def __repr__(self) -> str:
        return f"Connection({self.server})"

    def session(self, trace_configs: Sequence[aiohttp.TraceConfig] = ()) -> aiohttp.ClientSession:
        """A session that authorizes each of its requests to the API server, and no other request."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            middlewares=(self._authorized,),
            trace_configs=list(trace_configs),
            proxy=self._configuration.proxy or None,
            response_class=ShallowResponse,
        )

    async def _authorized(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.url.origin() != self._origin:
            return await handler(request)
        await self._authorize(request)
        response = await handler(request)
        if response.status == _UNAUTHORIZED and await self._has_new_credentials():
            response.close()
            await self._authorize(request)
            return await handler(request)
        return response

    async def _authorize(self, request: aiohttp.ClientRequest) -> None:
        """The request carries the newest credentials; while a token's file can't be read, those before."""
        try:
            authorization = await self._configuration.get_api_key_with_prefix("BearerToken")
        except (OSError, loaders.ConfigException):
            authorization = self._authorization
        if not authorization and self._configuration.username:
            authorization = self._configuration.get_basic_auth_token()
        if authorization:
            self._authorization = authorization.strip()
            request.headers["Authorization"] = self._authorization

    async def _has_new_credentials(self) -> bool:
        """Whether the configuration could be read anew; not tried again and again."""
        now = asyncio.get_running_loop().time()
        if self._reload is None or now - self._reloaded_at < _RELOAD_SECONDS:
            return False
        self._reloaded_at = now
        try:
            self._configuration = await self._reload()
        except ClusterConfigError:
            return False
        return True


async def connection_to(kubeconfig: Path | None) -> Connection:
    """The connection that a kubeconfig file describes, or with ``None`` that of the pod's service account.

    Raises:
        ClusterConfigError: It can't be told how to reach the API server.
    """
    if kubeconfig is None:
        return from_service_account()
    return Connection(await _read_kubeconfig(kubeconfig), reload=lambda: _read_kubeconfig(kubeconfig))


def from_service_account(directory: Path = SERVICE_ACCOUNT_DIR, environ: Mapping[str, str] | None = None) -> Connection:
    """The connection of a pod, whose API server the environment names.

    Raises:
        ClusterConfigError: This is no pod, or one without a service account's token.
    """

    async def reload() -> Configuration:
        return _read_service_account(directory, environ)

    return Connection(_read_service_account(directory, environ), reload)


def _read_service_account(directory: Path, environ: Mapping[str, str] | None) -> Configuration:
    configuration = Configuration()
    where: dict[str, Any] = {} if environ is None else {"environ": environ}
    try:
        InClusterConfigLoader(  # type: ignore[no-untyped-call]
            str(directory / "token"), str(directory / "ca.crt"), **where
        ).load_and_set(configuration)
    except (OSError, loaders.ConfigException) as error:
        raise ClusterConfigError(
            f"service account in {directory}: can't be used ({error}); outside a pod name a kubeconfig file"
        ) from error
    return configuration


async def _read_kubeconfig(path: Path) -> Configuration:
    configuration = Configuration()
    try:
        async with asyncio.timeout(_LOAD_SECONDS):
            await loaders.load_kube_config(  # type: ignore[no-untyped-call]
                str(path), client_configuration=configuration, persist_config=False
            )
    except (OSError, TimeoutError, YAMLError, ValueError, KeyError, TypeError, loaders.ConfigException) as error:
        raise ClusterConfigError(f"kubeconfig {path}: can't be used ({type(error).__name__})") from error
    return configuration


def _tls(configuration: Configuration) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ClusterConfigError(f"API server {configuration.host}: its certificates can't be read") from error
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the authority of many clusters has no key identifier
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
