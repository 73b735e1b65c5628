"""The way out to an AWS endpoint: targets, profiles, sessions, service models."""
