"""Draws a run on a terminal, and holds what all drawings are drawn on."""
