"""What S3 needs beyond the other services: addresses, sub-resources, bucket policies, ACLs."""
