"""Text for any output: safe characters, layout of commands, durations, signs."""
