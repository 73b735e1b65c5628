"""Explains a logged request: who made it, what was decided and why, and what to change."""
