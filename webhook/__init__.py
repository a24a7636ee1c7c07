"""Places the convertor pods of Forklift where their migration plan wants them."""
