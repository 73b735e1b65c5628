"""The resource types and their handlers."""
