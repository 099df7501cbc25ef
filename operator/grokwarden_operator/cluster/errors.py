"""What can go wrong between the operator and the API server. Only what another try can mend is retriable."""

from typing import ClassVar

from grokwarden.errors import GrokwardenError


class ClusterError(GrokwardenError):
    """The API server did not do what it was asked."""

    is_retriable: ClassVar[bool] = False


class ClusterConfigError(ClusterError):
    """How to reach the API server can't be told."""


class ClusterUnavailableError(ClusterError):
    """The API server is away, overloaded or out of order: the same may work later.

    Attributes:
        retry_after_seconds: How long it asked to wait, if it did.
    """

    is_retriable = True

    def __init__(self, what: str, why: str, *, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{what}: {why}; it is tried again")


class ClusterForbiddenError(ClusterError):
    """The operator's service account may not do that, or is not believed."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: refused ({why}); look at the operator's roles, it goes on without")


class ClusterNamespaceError(ClusterError):
    """The namespace is going away and takes nothing new."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: the namespace is being deleted; left as it is")


class ClusterKindError(ClusterError):
    """The API server does not know a kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"{kind}: the API server has no such resource; install the CRDs, nothing is enforced until then"
        )


class ClusterRejectedError(ClusterError):
    """The API server found the request itself wrong: the same again is as wrong."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: rejected ({why}); it is not tried again")
