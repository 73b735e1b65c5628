"""The embedded AWS account: requests are authenticated, decided, carried out on records, and logged."""
