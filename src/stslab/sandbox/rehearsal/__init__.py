"""A rehearsal of a real account: the sandbox is as slow and as faulty as AWS can be."""
