"""Whether a lab makes sense: its calls, its expressions, its undos."""
