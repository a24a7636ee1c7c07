"""The errors of webhook.kube.api. This module imports nothing, unlike the client."""


class KubeconfigError(Exception):
    """No usable cluster configuration; the message names the places that were searched."""


class ResponseTooLargeError(Exception):
    """A response has more bytes than the caller wants to read."""


class ApiError(Exception):
    """A request that the API server refused or that did not reach it.

    `status` is the HTTP status, or 0 without a response. `reason` is that of Kubernetes' Status
    object, such as `NotFound` or `Expired`, or empty. `retry_after` is the value of the header
    Retry-After, in seconds. `lacks_right` is True if RBAC refused the request, False if admission
    did, which has the same status.
    """

    def __init__(
        self,
        message: str,
        status: int = 0,
        reason: str = "",
        retry_after: float = 0,
        *,
        lacks_right: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.lacks_right = lacks_right
