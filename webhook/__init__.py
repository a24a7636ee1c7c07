"""Places the convertor pods of Forklift as their migration plan specifies."""
