"""Policies: managed, inline and trust policies, and their simulation."""
