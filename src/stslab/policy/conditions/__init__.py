"""The Condition element: operators, keys and values."""
