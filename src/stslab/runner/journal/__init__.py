"""The run's memory: records, and the SQLite file that holds them."""
