"""`kubectl convertor patch`."""
