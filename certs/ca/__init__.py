"""The CA and the serving certificates that it signs: pure values and functions of the time."""
