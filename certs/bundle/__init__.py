"""The caBundle of the webhook configurations: what it contains, and writing it to the cluster."""
