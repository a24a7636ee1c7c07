"""The argument `plan NAME` or `plan/NAME`, and the GET of that plan."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from webhook.cli.errors import ClusterError, UserError
from webhook.cli.options.cluster import connected
from webhook.forklift.plan import API_PATH, GROUP, NAME_PATTERN
from webhook.kube.api.errors import ApiError
from webhook.kube.lookalikes import to_ascii
from webhook.kube.messages import did_you_mean, suggest
from webhook.kube.objects import Json

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

F = TypeVar("F", bound=Callable[..., Any])

RESOURCE = f"plan.{GROUP}"
_RESOURCES = ("plan", "plans", RESOURCE, f"plans.{GROUP}")
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_COMPLETION_SECONDS = 2.0
"""A user who presses TAB does not wait longer."""


def plan_argument(*, required: bool = True) -> Callable[[F], F]:
    """Add the argument `plan NAME`; the command gets its `name`, empty if none is given."""

    def read(ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]) -> Any:
        return words if ctx.resilient_parsing else _name(words, required=required)

    return click.argument(
        "name",
        nargs=-1,
        metavar="plan NAME" if required else "[plan NAME]",
        callback=read,
        shell_complete=_complete,
    )


def get_plan(client: "Client", namespace: str, name: str) -> Json:
    """Return a Plan as the API server has it.

    Raises:
        UserError: there is none of that name, or its namespace is invalid.
        ApiError: the server refused, or did not respond.

    """
    try:
        return client.get_object(plan_path(client, namespace, name))
    except ApiError as error:
        if error.status == 404 and error.reason == "NotFound":
            raise _missing(client, namespace or client.namespace, name) from None
        raise


def plan_path(client: "Client", namespace: str, name: str = "") -> str:
    """Return the path of a Plan, or of all in a namespace, by default that of the context.

    Raises:
        click.UsageError: its name or namespace is invalid.

    """
    namespace = namespace or client.namespace
    for what, text in (("plan", name), ("namespace", namespace)):
        if text and not NAME_PATTERN.fullmatch(text):
            raise click.UsageError(f"'{text}' is not a valid name of a {what}")
    return f"{API_PATH}/namespaces/{namespace}/plans" + (f"/{name}" if name else "")


def _name(words: Sequence[str], *, required: bool) -> str:
    """Return the name, empty if none is given."""
    match words:
        case [] | ["plan" | "plans"] if not required:
            return ""
        case [*_, last] if not last or last in {f"{resource}/" for resource in _RESOURCES}:
            # An unset variable of a script; without a name the path would be that of all plans.
            raise click.UsageError("the name of the plan is empty")
        case [resource, name] if resource in _RESOURCES:
            return name
        case [one] if one.partition("/")[0] in _RESOURCES and "/" in one:
            return one.partition("/")[2]
        case [name] if name not in _RESOURCES and "/" not in name:
            if not required:
                return name
            raise click.UsageError(f"expected a plan's name, such as 'plan {name}'")
    found = " ".join(words)
    meant = to_ascii(found)  # an editor has made a dash of the hyphens of a flag
    hint = suggest(meant) if meant != found else ""
    raise click.UsageError(f"expected 'plan NAME' or 'plan/NAME', found '{found}'{hint}")


def _missing(client: "Client", namespace: str, name: str) -> UserError:
    """Return the error for a missing plan, with a similar name or another namespace as a hint."""
    known = _known(client)
    elsewhere = sorted(where for where, other in known if other == name)
    hint = did_you_mean(name, [other for where, other in known if where == namespace])
    if elsewhere:
        hint = f"; try --namespace {elsewhere[0]}"
    return UserError(f"no plan '{name}' in namespace '{namespace}'{hint}")


def _known(client: "Client", namespace: str = "", **limits: float) -> list[tuple[str, str]]:
    """Return namespace and name of all plans, or nothing if they cannot be listed."""
    path = plan_path(client, namespace) if namespace else f"{API_PATH}/plans"
    with suppress(ApiError):
        listed = client.get_object(path, {"limit": "500"}, accept=_METADATA, **limits)
        found = [item["metadata"] for item in listed.get("items") or ()]
        return [(metadata["namespace"], metadata["name"]) for metadata in found]
    return []


def _complete(ctx: click.Context, _param: click.Parameter, start: str) -> list[CompletionItem]:
    before, resource, slash = ctx.params["name"], *start.partition("/")[:2]
    if slash and not before and resource in _RESOURCES:
        given, start = f"{resource}/", start.removeprefix(f"{resource}/")
    elif not before:
        return [CompletionItem("plan")] if "plan".startswith(start) else []
    elif before in {(resource,) for resource in _RESOURCES}:
        given = ""
    else:
        return []
    with suppress(ClusterError, click.UsageError):
        with connected(ctx.params["context"], ctx.params["kubeconfig"]) as client:
            namespace = ctx.params["namespace"] or client.namespace
            known = _known(client, namespace, timeout_seconds=_COMPLETION_SECONDS)
        return [CompletionItem(f"{given}{name}") for _, name in known if name.startswith(start)]
    return []
