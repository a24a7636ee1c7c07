"""One pod on the terminal: the settings of its plan, and the pod before and after."""

import base64
import json
from textwrap import indent
from typing import Any

import jsonpatch
import yaml
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from webhook.cli.review.diff import coloured_diff

Json = dict[str, Any]


def show_pod(console: Console, pod: Json, response: Json) -> bool:
    """Print a pod before and after its review, or why it is refused; return True if it changes."""
    if not response["allowed"]:
        status = response["status"]
        console.print(f"Refused with HTTP {status['code']}:", style="bold")
        console.print(Padding(Text(status["message"], "red"), (0, 2, 1, 2)))
        return False
    patch = json.loads(base64.b64decode(response.get("patch", "")) or b"[]")
    after = jsonpatch.apply_patch(pod, patch)
    console.print("The pod as it is sent (-) and as it is created (+):", style="bold")
    console.print(Padding(coloured_diff(pod, after), (0, 2)))
    return bool(patch)


def show_settings(console: Console, plan: Json) -> None:
    """Print the settings as written in the plan."""
    annotations = plan["metadata"].get("annotations") or {}
    rules = [f"{key}:\n{indent(value.strip(), '  ')}" for key, value in annotations.items()]
    fields = {key: value for key, value in plan["spec"].items() if key.startswith("convertor")}
    text = "\n".join([*rules, yaml.safe_dump(fields).strip() if fields else ""]).strip()
    console.print("Settings of the plan:", style="bold")
    console.print(Padding(Text(text, "yellow"), (0, 2)))
