"""The commands for runs, and the lesson at the prompt."""
