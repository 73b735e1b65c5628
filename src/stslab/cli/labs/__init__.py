"""The commands that work on labs."""
