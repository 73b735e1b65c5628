"""What a request addresses, with which parameters, and what it needs."""
