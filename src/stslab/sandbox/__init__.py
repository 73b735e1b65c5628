"""The embedded AWS account: requests are authenticated, decided, carried out and logged."""
