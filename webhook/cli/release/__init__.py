"""Releases of the webhook in a cluster, and their settings."""
