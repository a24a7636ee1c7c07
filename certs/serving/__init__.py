"""Sources of the serving certificate, and serving a new one without a restart."""
