"""What a run does: plan, execute, check, journal, undo. Emits events; draws nothing."""
