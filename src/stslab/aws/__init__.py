"""Calls to an AWS endpoint: targets, profiles, sessions, service models."""
