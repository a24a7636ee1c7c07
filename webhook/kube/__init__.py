"""What Kubernetes defines: label syntax, quantities, taints, and the way to its API."""
