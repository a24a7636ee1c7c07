"""The CA and the certificates that it signs: values, and what is due at a given time."""
