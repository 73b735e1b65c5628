"""Text for any output: safe characters, layout of commands, signs."""
