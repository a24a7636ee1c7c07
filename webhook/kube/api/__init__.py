"""The Kubernetes API of one cluster: the only code that imports its client."""
