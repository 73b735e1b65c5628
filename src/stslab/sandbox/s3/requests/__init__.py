"""A request's address, its parameters, and the permissions that it needs."""
