"""A hands-on lab for AWS identity, on an embedded AWS account that tells the truth."""

__version__ = "0.1.0"
