"""IAM as AWS documents it: users, groups, roles, policies, and what they sign in with."""
