"""Stacks, and the work on them."""
