"""Everything that undoes a run, proves it, and finds leftovers."""
