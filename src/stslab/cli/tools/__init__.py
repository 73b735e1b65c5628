"""The commands that explain, decide and look, outside any run."""
