"""The commands for labs."""
