"""Changes of the release's objects, to be attempted with the token of its ServiceAccount."""

import base64
import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from certs.ca import pki
from tests.system.controlplane.api import Json

Change = Callable[[Json], object]
"""Changes a copy of the object in place."""
IMPORTERS, POPULATORS = 1, 2
"""The indexes of the webhooks for pods of other controllers."""


def make_bundle(count: int) -> str:
    """Return the base64 text of a caBundle with new CAs."""
    day = timedelta(days=1)
    made = [pki.make_ca(datetime.now(UTC), day, backdate=day) for _ in range(count)]
    return base64.b64encode(b"".join(ca.certificate.pem for ca in made)).decode()


def _set(*path: str | int, value: object) -> Change:
    """Set a field; None removes it."""

    def change(body: Json) -> None:
        *above, last = path
        place: Json = body
        for key in above:
            place = place[key]  # type: ignore[index] # an index of a list is an int
        if value is None:
            del place[last]  # type: ignore[arg-type]
        else:
            place[last] = value  # type: ignore[index]

    return change


def _webhook(*path: str | int, value: object) -> Change:
    return _set("webhooks", 0, *path, value=value)


def _client(**fields: object) -> Change:
    return lambda body: body["webhooks"][0]["clientConfig"].update(fields)


def _service(**fields: object) -> Change:
    return lambda body: body["webhooks"][0]["clientConfig"]["service"].update(fields)


def _call_url(body: Json) -> None:
    client = body["webhooks"][0]["clientConfig"]
    del client["service"]
    client["url"] = "https://attacker.example.com/mutate"


def _add_webhook(body: Json) -> None:
    added = copy.deepcopy(body["webhooks"][0])
    body["webhooks"].append(added | {"name": "third.example.com"})


def _bundle_and_rules(body: Json) -> None:
    _client(caBundle=make_bundle(1))(body)
    _EVERYTHING(body)


def _new_bundles(count: int) -> Change:
    def change(body: Json) -> None:
        for webhook in body["webhooks"]:
            webhook["clientConfig"]["caBundle"] = make_bundle(count)

    return change


def _take_selector_of_importers(body: Json) -> None:
    webhooks = body["webhooks"]
    webhooks[0]["objectSelector"] = copy.deepcopy(webhooks[IMPORTERS]["objectSelector"])


def _exchange_names(body: Json) -> None:
    first, second = body["webhooks"][IMPORTERS], body["webhooks"][POPULATORS]
    first["name"], second["name"] = second["name"], first["name"]


def _second_bundle(body: Json) -> None:
    client = body["webhooks"][0]["clientConfig"]
    added = base64.b64decode(make_bundle(1))
    client["caBundle"] = base64.b64encode(base64.b64decode(client["caBundle"]) + added).decode()


_RULES = [
    {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["*/*"],
        "scope": "*",
    }
]
_EVERYTHING = _webhook("rules", value=_RULES)

_OWNER = {"apiVersion": "v1", "kind": "Namespace", "name": "gone", "uid": "00000000-gone"}

METADATA: dict[str, Change] = {
    "add a label": _set("metadata", "labels", "added", value="x"),
    "change a label": _set("metadata", "labels", "app.kubernetes.io/name", value="x"),
    "remove the labels": _set("metadata", "labels", value=None),
    "inject another CA": _set(
        "metadata", "annotations", "cert-manager.io/inject-ca-from", value="attacker/tls"
    ),
    "change an annotation": _set("metadata", "annotations", "example.com/note", value="x"),
    "remove the annotations": _set("metadata", "annotations", value=None),
    "add an owner that does not exist": _set("metadata", "ownerReferences", value=[_OWNER]),
    "add a finalizer": _set("metadata", "finalizers", value=["example.com/never"]),
}
"""Changes of the metadata of any object, which has the annotation `example.com/note`."""

WEBHOOKS: dict[str, Change] = {
    "rules for every object": _EVERYTHING,
    "more operations": _webhook("rules", 0, "operations", value=["CREATE", "UPDATE", "DELETE"]),
    "another scope": _webhook("rules", 0, "scope", value="*"),
    "call a URL": _call_url,
    "call another Service": _service(name="attacker"),
    "call another namespace": _service(namespace="attacker"),
    "call another path": _service(path="/attacker"),
    "call another port": _service(port=8443),
    "no path": _webhook("clientConfig", "service", "path", value=None),
    "fail open or closed": _webhook("failurePolicy", value="Fail"),
    "no conditions": _webhook("matchConditions", value=None),
    "another condition": _webhook("matchConditions", 0, "expression", value="true"),
    "no namespace": _webhook("namespaceSelector", value={"matchLabels": {"never": "true"}}),
    "no object": _webhook("objectSelector", value={"matchLabels": {"never": "true"}}),
    "another timeout": _webhook("timeoutSeconds", value=30),
    "match the version exactly": _webhook("matchPolicy", value="Exact"),
    "other review versions": _webhook("admissionReviewVersions", value=["v1", "v1beta1"]),
    "rename a webhook": _webhook("name", value="renamed.example.com"),
    "add a webhook": _add_webhook,
    "remove a webhook": lambda body: body["webhooks"].pop(0),
    "remove all webhooks": lambda body: body.update(webhooks=[]),
    "swap the webhooks": lambda body: body["webhooks"].reverse(),
    "remove a caBundle": _webhook("clientConfig", "caBundle", value=None),
    "empty a caBundle": _client(caBundle=""),
    "caBundle and rules": _bundle_and_rules,
}
"""Changes of a webhook configuration with several webhooks that must be refused."""

MUTATING: dict[str, Change] = {
    "never call again": _webhook("reinvocationPolicy", value="Never"),
    "all namespaces": _webhook("namespaceSelector", value={}),
    "all objects": _webhook("objectSelector", value={}),
    "other side effects": _webhook("sideEffects", value="None"),
    "reject importers": _set("webhooks", IMPORTERS, "failurePolicy", value="Fail"),
    "importers of any name": _set("webhooks", IMPORTERS, "matchConditions", value=None),
    "populators of any label": _set("webhooks", POPULATORS, "objectSelector", value={}),
    "the selector of another webhook": _take_selector_of_importers,
    "exchange two names": _exchange_names,
    "rules of the last webhook": lambda body: body["webhooks"][-1].update(rules=_RULES),
}
"""Further changes of a MutatingWebhookConfiguration."""

BUNDLES: dict[str, Change] = {
    "another CA for one webhook": _client(caBundle=make_bundle(1)),
    "another CA for the last webhook": lambda body: body["webhooks"][-1]["clientConfig"].update(
        caBundle=make_bundle(1)
    ),
    "another CA for all webhooks": _new_bundles(1),
    "two CAs for all webhooks": _new_bundles(2),
    "a second CA": _second_bundle,
}
"""The changes that are allowed."""

SECRET: dict[str, Change] = {
    **METADATA,
    "make it immutable": _set("immutable", value=True),
}
"""Changes of the CA's Secret that must be refused."""
