"""Explains a request that was logged: who asked, what was decided and why, what to change."""
