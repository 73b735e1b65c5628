"""Reads YAML into the frozen model, and reports each problem with its place."""
