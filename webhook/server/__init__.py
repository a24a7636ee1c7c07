"""The HTTPS server: its configuration, a review over HTTP, probes, and its start and end."""
