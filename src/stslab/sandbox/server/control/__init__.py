"""What may be asked of the sandbox itself: a verb for each question."""
