"""The console, the paper that all views draw on, and the view of a run."""
