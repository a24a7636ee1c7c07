"""The commands: `convertor-webhook`, the server, and `kubectl convertor`, for people."""
