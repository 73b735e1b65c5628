"""The account's memory: what a write touched is saved before the write is acknowledged."""
