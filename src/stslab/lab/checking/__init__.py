"""Checks a lab's calls, expressions and undos."""
