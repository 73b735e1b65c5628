"""Amazon Simple Storage Service (S3)."""
