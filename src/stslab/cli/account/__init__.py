"""The commands that work on the account: the embedded one, and what points clients at one."""
