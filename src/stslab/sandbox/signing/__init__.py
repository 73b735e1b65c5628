"""How signatures are verified: their canonical forms, and the rules of each service."""
