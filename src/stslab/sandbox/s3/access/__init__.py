"""Bucket policies, access control lists (ACLs) and Block Public Access."""
