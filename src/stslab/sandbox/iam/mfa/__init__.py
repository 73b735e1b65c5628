"""Virtual MFA devices."""
