"""Commands of an explanation: quoted for a shell, and for the cluster that was explained."""

import shlex
from typing import NamedTuple

from webhook.model import Installation, Plan

RULES = "RULES"
"""Stands for KARL rules in a command: in quotes, which the rules need."""


class KubectlFlags(NamedTuple):
    """The flags that selected the cluster, which every command for it needs too."""

    context: str = ""
    kubeconfig: str = ""
    """Path of the file."""


CURRENT_CONTEXT = KubectlFlags()


class Commands(NamedTuple):
    """Writes the commands for a plan and its cluster."""

    plan: Plan
    installation: Installation
    flags: KubectlFlags

    def kubectl(self, *words: str) -> str:
        """Return a command of kubectl or of a plugin; plugins take the flags at the end only."""
        flags = {"--context": self.flags.context, "--kubeconfig": self.flags.kubeconfig}
        return _join("kubectl", *words, *_given(flags))

    def helm(self, *words: str) -> str:
        """Return a command of Helm."""
        flags = {"--kube-context": self.flags.context, "--kubeconfig": self.flags.kubeconfig}
        return _join("helm", *words, *_given(flags))

    def patch(self, flag: str, value: str) -> str:
        """Return the command that sets an annotation of the plan."""
        prefix = self.installation.prefix
        other = "" if prefix == Installation().prefix else prefix
        plan = ("plan", self.plan.name, "-n", self.plan.namespace)
        return self.kubectl(
            *("convertor", "patch", *plan, flag, value), *_given({"--annotation-prefix": other})
        )

    def patch_spec(self, flag: str, value: str) -> str:
        """Return the command that sets a field of the plan's spec."""
        plan = ("plan", "--plan-name", self.plan.name, "-n", self.plan.namespace)
        return self.kubectl("mtv", "patch", *plan, flag, value)


def _given(flags: dict[str, str]) -> list[str]:
    return [word for flag, value in flags.items() if value for word in (flag, value)]


def _join(*words: str) -> str:
    return " ".join(f"'{RULES}'" if word == RULES else shlex.quote(word) for word in words)
