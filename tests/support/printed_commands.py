"""Checks that a command in a document or an output has flags and resources that exist.

`check` parses commands of `kubectl convertor` and of the server with click, and those of kubectl,
`kubectl mtv` and Helm with the tables below, which have what is printed somewhere, and no more.
"""

import re
import shlex
from collections.abc import Iterator, Mapping

import click

from certs.cli.commands import certs
from webhook.cli.kubectl import group
from webhook.cli.main import group as server_group

_PROGRAM = r"(?:kubectl|helm|convertor-webhook|python3? -m certs) (?=[a-z])"
_BEFORE = r"(?:.*(?:command|field): |\s*(?:\$ |# )?)"
_IN_BLOCK = re.compile(rf"^{_BEFORE}({_PROGRAM}[^`\n]*)$", re.MULTILINE)
_INLINE = re.compile(rf"`({_PROGRAM}[^`\n]+)`")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_VARIABLE = re.compile(r"\$[A-Z_]+")
VARIABLE = "VARIABLE"
"""The value of every variable in a command; a file of this name exists if it is a file's."""

_CONNECTION = {"-n": 1, "--namespace": 1, "--context": 1, "--kubeconfig": 1}
_READ = _CONNECTION | {"-A": 0, "--all-namespaces": 0, "-l": 1, "--selector": 1}
_OUTPUT = {"-o": 1, "--output": 1}
_KUBECTL: Mapping[str, Mapping[str, int]] = {
    "annotate": _CONNECTION | {"--overwrite": 0},
    "apply": _CONNECTION | {"-f": 1, "--filename": 1, "--server-side": 0},
    "auth": _CONNECTION | {"--as": 1, "-A": 0},
    "config": {"--kubeconfig": 1, "--server": 1, "--certificate-authority": 1, "--token": 1}
    | {"--embed-certs": 0, "--cluster": 1, "--user": 1},
    "create": _CONNECTION | _OUTPUT | {"--dry-run": 1, "--filename": 1, "--from-file": 1},
    "delete": _CONNECTION | {"--ignore-not-found": 0},
    "describe": _READ,
    "exec": _CONNECTION,
    "get": _READ | _OUTPUT | {"--show-labels": 0, "--raw": 1, "--field-selector": 1},
    "krew": {"--manifest-url": 1},
    "label": _CONNECTION | {"--overwrite": 0},
    "logs": _CONNECTION | {"-l": 1, "--selector": 1, "--tail": 1, "--since": 1, "--prefix": 0},
    "patch": _CONNECTION | {"--type": 1, "-p": 1, "--patch": 1},
    "port-forward": _CONNECTION,
    "rollout": _CONNECTION,
    "top": _READ,
    "uncordon": _CONNECTION,
    "version": {},
}
"""Flags of the verbs of kubectl, and the number of their values."""

_CONVERTOR_FLAGS = {
    "--convertor-labels": 1,
    "--convertor-node-selector": 1,
    "--convertor-affinity": 1,
}
_MTV: Mapping[tuple[str, str], Mapping[str, int]] = {
    ("patch", "plan"): _CONNECTION | _CONVERTOR_FLAGS | {"--plan-name": 1},
    ("create", "plan"): _CONNECTION
    | _CONVERTOR_FLAGS
    | {"--name": 1, "--source": 1, "--vms": 1, "--migration-type": 1},
}
"""Flags of `kubectl mtv` 0.1.79 and later, which have one for the name of the plan."""
_MTV_REQUIRED = {
    ("patch", "plan"): {"--plan-name"},
    ("create", "plan"): {"--name", "--source", "--vms"},
}

_HELM_CONNECTION = {"-n": 1, "--namespace": 1, "--kube-context": 1, "--kubeconfig": 1}
_HELM_VALUES = _HELM_CONNECTION | {"--set": 1, "--create-namespace": 0, "--version": 1}
_HELM: Mapping[str, Mapping[str, int]] = {
    "install": _HELM_VALUES,
    "upgrade": _HELM_VALUES | {"--reset-then-reuse-values": 0},
    "list": _HELM_CONNECTION | {"-A": 0, "--filter": 1},
    "pull": {"--version": 1},
    "rollback": _HELM_CONNECTION,
    "template": _HELM_VALUES,
    "test": _HELM_CONNECTION | {"--logs": 0},
    "uninstall": _HELM_CONNECTION,
}

_AMBIGUOUS = {
    "plan": "plans.forklift.konveyor.io",  # also of Rancher's system-upgrade-controller
    "plans": "plans.forklift.konveyor.io",
    "certificate": "certificates.cert-manager.io",  # also of Knative
    "certificates": "certificates.cert-manager.io",
}
"""Resources of which several API groups have one."""
_ON_RESOURCES = {"annotate", "delete", "describe", "get", "label", "patch"}


def find_commands(text: str) -> Iterator[str]:
    """Yield the commands of a page, an output or a golden file, each on one line."""
    joined = re.sub(r"\\\n(?:#|\s)*", " ", text)
    for pattern in (_IN_BLOCK, _INLINE):
        yield from (found.strip() for found in pattern.findall(joined) if "…" not in found)


def check(command: str) -> None:
    """Raise AssertionError or a click.UsageError for a command that cannot run as printed."""
    for inner in _SUBSTITUTION.findall(command):
        check(inner)
    command = _VARIABLE.sub(VARIABLE, _SUBSTITUTION.sub(VARIABLE, command)).replace("<<EOF", "")
    parts = re.split(r" (?:[|>]|&&) ", command)
    _check_words(shlex.split(parts[0], comments=True))
    for part in parts[1:]:
        if re.match(_PROGRAM, part):
            _check_words(shlex.split(part, comments=True))


def _check_words(words: list[str]) -> None:
    match words:
        case ["kubectl", "convertor", *rest]:
            _parse_with_click(group, rest)
        case ["convertor-webhook", *rest]:
            _parse_with_click(server_group, rest)
        case ["python" | "python3", "-m", "certs", *rest]:
            _parse_with_click(certs, rest)
        case ["kubectl", "mtv", verb, resource, *rest] if rest:
            flags, positional = _split(rest, _MTV[verb, resource])
            assert not positional, f"expected a flag for the name, found {positional}"
            assert _MTV_REQUIRED[verb, resource] <= flags
        case ["kubectl", "mtv", *_]:
            pass
        case ["kubectl", verb, *rest] if rest:  # a sentence may mention a verb alone
            _check_kubectl(verb, rest)
        case ["helm", verb, *rest] if rest:
            _split(rest, _HELM[verb])
        case _:
            pass


def _check_kubectl(verb: str, words: list[str]) -> None:
    if "--" in words:
        _check_words(words[words.index("--") + 1 :])
        words = words[: words.index("--")]
    flags, positional = _split(words, _KUBECTL[verb])
    if verb in _ON_RESOURCES and positional:
        for resource in positional[0].split(","):
            name = resource.partition("/")[0]
            assert name not in _AMBIGUOUS, f"'{name}' is ambiguous: {_AMBIGUOUS[name]}"
    if verb == "logs" and flags & {"-l", "--selector"}:
        assert "--tail" in flags, "with a selector kubectl logs prints 10 lines of each pod"


def _split(words: list[str], known: Mapping[str, int]) -> tuple[set[str], list[str]]:
    """Return the flags and the positional arguments; AssertionError for an unknown flag."""
    flags, positional, left = set(), [], list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-") or word == "-":
            positional.append(word)
            continue
        flag, equals, _ = word.partition("=")
        assert flag in known, f"unknown flag {flag}"
        flags.add(flag)
        if known[flag] and not equals:
            assert left, f"{flag} has no value"
            left.pop(0)
    return flags, positional


def _parse_with_click(root: click.Command, words: list[str]) -> None:
    """Parse the words, without running the command; a sentence may mention one without any."""
    words = [word for word in words if word != "--help"]
    command: click.Command | None = root
    context = click.Context(root, **root.context_settings)
    if words and words[0].startswith("-"):
        root.make_context(root.name, words, resilient_parsing=True)
        return
    while isinstance(command, click.Group) and words:
        command = command.get_command(context, words.pop(0))
    assert command is not None, "unknown command"
    if words and words != ["plan"]:
        command.make_context(command.name, words, parent=context)
