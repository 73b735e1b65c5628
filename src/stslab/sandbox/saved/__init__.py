"""What the account knows, and the file in which it is saved."""
