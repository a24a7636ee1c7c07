"""The policy on Plans in docs/security.md, for fields that only Forklift knows."""

import json
import re

import pytest
import yaml

from tests.support.paths import DATA, ROOT
from tests.system.controlplane.api import Api, Json, StatusError, of
from tests.system.controlplane.process import until
from tests.system.e2e.preparation import use_plans_of
from tests.system.guide.forklift import Generation
from tests.system.guide.rows import PLAN_NAMESPACE

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
(BLOCK,) = (
    block
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    if "kind: ValidatingAdmissionPolicyBinding" in block
)
POLICY = [*yaml.safe_load_all(BLOCK)]
IMAGE = "example.com/any:latest"


def plan(name: str, **spec: str) -> Json:
    body: Json = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
    metadata = {"name": name, "namespace": PLAN_NAMESPACE}
    return {**body, "metadata": metadata, "spec": body["spec"] | spec}


def message_of(api: Api, body: Json) -> str:
    """Return why a Plan is denied as a dry run; empty if it is admitted."""
    response = api.send("POST", of(body), body, dryRun="All")
    return "" if response.is_success else str(response.json()["message"])


def test_an_own_image_or_account_is_denied_and_an_old_one_stays(api: Api) -> None:
    api.ensure({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLAN_NAMESPACE}})
    use_plans_of(api, Generation.V2_12)
    api.create(plan("with-image", virtV2vImage=IMAGE))
    for body in POLICY:
        api.ensure(body)
    try:
        own_image = plan("new", virtV2vImage=IMAGE)
        until("the policy", lambda: message_of(api, own_image))
        assert "virtV2vImage" in message_of(api, own_image)
        assert message_of(api, plan("new", serviceAccount="any"))
        assert not message_of(api, plan("new"))
        kept: Json = {"spec": {"warm": True}}
        changed: Json = {"spec": {"virtV2vImage": "example.com/other:latest"}}
        assert api.patch("Plan", "with-image", kept, PLAN_NAMESPACE)["spec"]["warm"]
        with pytest.raises(StatusError, match="virtV2vImage"):
            api.patch("Plan", "with-image", changed, PLAN_NAMESPACE)
    finally:
        for body in reversed(POLICY):
            api.delete(body["kind"], body["metadata"]["name"])
        api.delete("Plan", "with-image", PLAN_NAMESPACE)
