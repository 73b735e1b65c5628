"""Who has access: bucket policies, access control lists, Block Public Access."""
