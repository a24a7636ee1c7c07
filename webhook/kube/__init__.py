"""Kubernetes: labels, quantities, tolerations, affinities, the scheduler's filters and the API."""
