"""A convertor pod with all fields that admission checks, as Forklift creates it for vSphere."""

from webhook.forklift.labels import CONVERTOR_VALUE, SCHEDULABLE_LABEL
from webhook.kube.objects import Json

_KVM = "devices.kubevirt.io/kvm"
_RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_IMAGE = "example.com/virt-v2v"
"""Of a pod that never runs."""


def build_convertor_pod(namespace: str, name: str) -> Json:
    """Return a pod for a dry run.

    It has none of Forklift's labels: the webhook would review it as a pod of an unknown plan. Its
    secret and disk do not exist, which admission does not check.
    """
    vddk = {"name": "vddk-vol-mount", "mountPath": "/opt"}
    disk = {"name": "disk-0", "mountPath": "/mnt/disks/disk0"}
    secret = {"name": "secret-volume", "mountPath": "/etc/secret", "readOnly": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "nodeSelector": {SCHEDULABLE_LABEL: "true"},
            "securityContext": {
                "runAsUser": 107,
                "runAsNonRoot": True,
                "fsGroup": 107,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": [
                {
                    "name": "vddk-side-car",
                    "image": _IMAGE,
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "150Mi"},
                        "limits": {"cpu": "1", "memory": "500Mi"},
                    },
                    "securityContext": _RESTRICTED,
                    "volumeMounts": [vddk],
                }
            ],
            "containers": [
                {
                    "name": CONVERTOR_VALUE,
                    "image": _IMAGE,
                    "env": [{"name": "V2V_source", "value": "vSphere"}],
                    "resources": {
                        "requests": {"cpu": "1", "memory": "1Gi", _KVM: "1"},
                        "limits": {"cpu": "4", "memory": "8Gi", _KVM: "1"},
                    },
                    "securityContext": _RESTRICTED,
                    "volumeMounts": [disk, vddk, secret],
                }
            ],
            "volumes": [
                {"name": "disk-0", "persistentVolumeClaim": {"claimName": f"{name}-disk"}},
                {"name": "vddk-vol-mount", "emptyDir": {}},
                {"name": "secret-volume", "secret": {"secretName": f"{name}-secret"}},
            ],
        },
    }
