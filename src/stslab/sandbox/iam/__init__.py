"""IAM as AWS documents it, on moto's store of users, groups, roles and policies."""
