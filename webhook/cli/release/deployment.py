"""What a Deployment of the webhook is told: by flags, by variables, and by a file of defaults."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec

from webhook.cli.options.installation import installation_options
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json
from webhook.model import Installation

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

CONTAINER = "convertor-webhook"
_COMMAND = "serve"
_DEFAULTS_FLAG, _DEFAULTS_FILE = "--defaults", "defaults.yaml"


class Unclear(Exception):  # noqa: N818 - no fault of ours, nor of the Deployment's
    """A Deployment does not tell what it does; the text says why."""


def read_installation(client: "Client", deployment: Json, unread: list[str]) -> Installation:
    """Return what a Deployment is told; `unread` gets what is wrong with its defaults.

    Raises:
        Unclear: its flags are not there, or not understood.
        ApiError: the server did not answer.

    """
    pod = deployment["spec"]["template"]["spec"]
    containers = [each for each in pod.get("containers") or () if each.get("name") == CONTAINER]
    if not containers:
        raise Unclear(f"it has no container '{CONTAINER}'")
    said = _read_flags(containers[0])
    defaults = _defaults(client, deployment["metadata"]["namespace"], pod, unread)
    return msgspec.structs.replace(said, defaults=defaults)


def _read_flags(container: Json) -> Installation:
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    variables = _variables(container)
    if _COMMAND not in words and (words or not variables):
        raise Unclear(f"its container '{CONTAINER}' has no argument '{_COMMAND}'")
    flags = list(_without_defaults(words[words.index(_COMMAND) + 1 :] if words else []))
    try:
        said: Installation = _flags.main(flags, standalone_mode=False, default_map=variables)
    except click.ClickException as error:
        text = error.format_message().rstrip(".")
        raise Unclear(f"{text[:1].lower()}{text[1:]}") from None
    return said


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@installation_options
def _flags(installation: Installation) -> Installation:
    """Read the server's flags, as far as they are about plans and pods."""
    return installation


_VARIABLES = {str(each.envvar): each for each in _flags.params if each.name != "defaults"}
for _parameter in _flags.params:
    _parameter.envvar = None  # the variables are the Deployment's, and not those of this process


def _variables(container: Json) -> Json:
    """Return what the variables of a container say, by the names of the parameters."""
    found: Json = {}
    for variable in container.get("env") or ():
        parameter = _VARIABLES.get(variable["name"])
        if parameter is None:
            continue
        if variable.get("valueFrom"):
            raise Unclear(f"the value of its variable '{variable['name']}' is not in it")
        if value := variable.get("value"):
            found[str(parameter.name)] = value.split() if parameter.multiple else value
    return found


def _without_defaults(words: list[str]) -> Iterator[str]:
    """Yield the flags but for the file of defaults, which is not on this machine."""
    rest = iter(words)
    for word in rest:
        if word == _DEFAULTS_FLAG:
            next(rest, None)
        elif not word.startswith(f"{_DEFAULTS_FLAG}="):
            yield word


def _defaults(client: "Client", namespace: str, pod: Json, unread: list[str]) -> Json:
    """Return the installation's defaults, from the ConfigMap that its chart mounts."""
    for volume in pod.get("volumes") or ():
        name = (volume.get("configMap") or {}).get("name")
        if volume["name"] != "defaults" or not name:
            continue
        try:
            found = client.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            unread.append(f"{error}; the defaults of plans are not known")
            return {}
        data = msgspec.json.decode(found).get("data") or {}
        try:
            return _parsed(data.get(_DEFAULTS_FILE) or "")
        except ValueError as error:
            where = f"ConfigMap {namespace}/{name} {_DEFAULTS_FILE}"
            unread.append(f"{where}: {error}; plans are judged without defaults")
    return {}


def _parsed(text: str) -> Json:
    """Read defaults as the server does. Raises ValueError."""
    from webhook.kube import manifests  # noqa: PLC0415 - help and completion do without
    from webhook.settings import check_defaults  # noqa: PLC0415

    documents = manifests.parse_documents(text, is_json=False)
    every = [found for _, found in documents if found is not None]
    if len(every) > 1:
        raise ValueError(f"expected one document, found {len(every)}")
    found: Any = every[0] if every else {}
    if problems := check_defaults(found, ""):
        raise ValueError("; ".join(str(problem).strip(" :") for problem in problems))
    defaults: Json = found
    return defaults
