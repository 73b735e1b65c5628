"""Hands-on labs for AWS identity, on an embedded account that behaves like AWS."""

__version__ = "0.1.0"
