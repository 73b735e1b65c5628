"""Making one call: patience, waits, redaction, and whether a thing is the run's own."""
