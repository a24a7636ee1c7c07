"""`kubectl convertor show`."""
