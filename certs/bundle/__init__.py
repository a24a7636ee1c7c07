"""The caBundle of the webhook configurations: its desired content, and publishing it."""
