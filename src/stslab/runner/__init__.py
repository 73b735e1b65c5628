"""A run: plan, steps, checks, journal, undo. It emits events and draws nothing."""
