"""A rehearsal of the real thing: the sandbox as slow and as faulty as AWS can be."""
