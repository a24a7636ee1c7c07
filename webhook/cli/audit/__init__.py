"""`kubectl convertor audit`."""
