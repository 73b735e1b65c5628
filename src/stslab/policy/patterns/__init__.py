"""Patterns with wildcards and policy variables, compiled to tests of texts."""
