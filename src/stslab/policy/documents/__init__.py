"""Policies as documents: read, checked by IAM's grammar, compiled."""
