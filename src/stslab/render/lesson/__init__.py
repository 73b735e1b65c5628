"""The lesson on a terminal: one screen for each scene."""
