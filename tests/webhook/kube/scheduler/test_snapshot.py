"""The random clusters of the differential test cover every reason of kube-scheduler."""

from collections import Counter
from random import Random

from tests.support.worlds import draw_cluster


def test_random_clusters_have_every_reason_many_times() -> None:
    drawn = [draw_cluster(Random(seed)).verdicts() for seed in range(120)]
    reasons = Counter(reason for verdicts in drawn for each in verdicts for reason in each.reasons)
    fitting = sum(each.fits for verdicts in drawn for each in verdicts)
    assert fitting >= 50
    assert min(reasons.values()) >= 8
    assert reasons.keys() == {
        "Insufficient cpu",
        "Insufficient devices.kubevirt.io/kvm",
        "Insufficient memory",
        "Too many pods",
        "node(s) didn't match Pod's node affinity/selector",
        "node(s) didn't match pod affinity rules",
        "node(s) didn't match pod anti-affinity rules",
        "node(s) didn't match pod topology spread constraints",
        "node(s) didn't match pod topology spread constraints (missing required label)",
        "node(s) didn't satisfy existing pods anti-affinity rules",
        "node(s) had untolerated taint(s)",
        "node(s) were unschedulable",
    }
