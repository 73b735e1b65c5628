"""AWS Security Token Service (STS)."""
