"""Client of the Kubernetes API: the only code that imports `kubernetes` and `urllib3`."""
