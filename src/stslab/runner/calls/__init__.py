"""Make one call: retries, waits, redaction, lookups, and the check that it may be made."""
