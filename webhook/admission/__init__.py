"""Admission reviews: decoded, decided and answered, for pods and for Plans."""
