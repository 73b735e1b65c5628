"""A run forwards: plan, stages, steps, checks, resuming, dry run."""
