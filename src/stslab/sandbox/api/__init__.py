"""Requests, callers, answers and errors, and the protocols that they are written in."""
