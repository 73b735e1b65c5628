"""Verifies signatures and checksums, by the rules of each service."""
