"""IAM as AWS documents it, on records of users, groups, roles and policies."""
