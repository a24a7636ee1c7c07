"""The certificate commands: `python -m certs` and `convertor-webhook certs`."""
