"""The steps of every request: authenticate, name, decide, carry out, log."""
