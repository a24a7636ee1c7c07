"""Serving certificates that look after themselves; knows nothing of `webhook`."""
