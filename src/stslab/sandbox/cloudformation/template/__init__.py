"""Reads, checks and evaluates templates."""
