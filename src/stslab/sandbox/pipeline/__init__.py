"""The way of every request: authenticate, name, decide, carry out, log."""
