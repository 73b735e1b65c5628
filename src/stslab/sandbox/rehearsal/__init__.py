"""A rehearsal of a real account: the embedded one is as slow and as faulty as AWS can be."""
