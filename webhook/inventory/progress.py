"""The progress of a migration, read from its Plan."""

import msgspec

from webhook.forklift.plan import API_PATH, NAME_PATTERN
from webhook.forklift.progress import Progress, decode_progress
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.model import Plan


def read_progress(client: Client, plan: Plan) -> Progress:
    """Read the progress of a plan's migrations; that of a plan which was deleted is not known.

    Raises:
        ApiError: the Plan cannot be read, or is invalid.

    """
    if not (NAME_PATTERN.fullmatch(plan.name) and NAME_PATTERN.fullmatch(plan.namespace)):
        return Progress()
    try:
        body = client.get(f"{API_PATH}/namespaces/{plan.namespace}/plans/{plan.name}")
        return decode_progress(body)
    except ApiError as error:
        if error.status == 404:
            return Progress()
        raise
    except msgspec.MsgspecError as error:
        raise ApiError(f"{client.server} sent an invalid Plan '{plan}': {error}") from None
