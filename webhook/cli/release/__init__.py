"""The installed webhook, found in the cluster."""
