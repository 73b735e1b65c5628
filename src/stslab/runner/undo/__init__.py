"""Undo a run, prove that nothing is left, and find leftovers."""
