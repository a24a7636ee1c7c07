"""Serving certificates that renew themselves; uses `webhook.kube` and nothing else of `webhook`."""
