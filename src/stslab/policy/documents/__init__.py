"""Policy documents: reads them, checks IAM's grammar, and compiles their statements."""
