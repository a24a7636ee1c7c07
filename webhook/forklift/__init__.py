"""What Forklift defines: its labels, the fields of its Plan, and how a pod names its plan."""
