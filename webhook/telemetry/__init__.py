"""Log lines, metrics and Events, made from decisions."""
