"""`kubectl convertor explain`."""
