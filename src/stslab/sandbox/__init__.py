"""The embedded AWS account: authenticate, authorize, then STS or moto."""
