"""Users, groups, roles and providers, with their keys and passwords."""
