"""`kubectl convertor review`."""
