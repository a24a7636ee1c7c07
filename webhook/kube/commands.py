"""Commands in messages: quoted for a shell, with the flags that select a cluster."""

import shlex
from typing import NamedTuple

RULES = "RULES"
"""Stands for KARL rules in a command: in quotes, which the rules need."""


class KubectlFlags(NamedTuple):
    """The flags that selected a cluster, which every command for it needs too."""

    context: str = ""
    kubeconfig: str = ""
    """Path of the file."""

    def append_to(self, command: str) -> str:
        """Return a command of kubectl with the flags at its end, where plugins take them too.

        No command stays empty.
        """
        return join_words(command, self._list("--context")) if command else ""

    def append_to_helm(self, command: str) -> str:
        """Return a command of Helm with the flags."""
        return join_words(command, self._list("--kube-context"))

    def _list(self, context: str) -> list[str]:
        flags = {context: self.context, "--kubeconfig": self.kubeconfig}
        return [word for flag, value in flags.items() if value for word in (flag, value)]


CURRENT_CONTEXT = KubectlFlags()


def join_words(command: str, words: list[str]) -> str:
    """Return a command with more words, quoted."""
    quoted = (f"'{RULES}'" if word == RULES else shlex.quote(word) for word in words)
    return " ".join([command, *quoted])
