"""The commands that work on runs."""
