"""Forklift's labels, the fields of its Plan, and the reference from a pod to its plan."""
