"""Labs: reads YAML into a frozen model, checks it, and resolves its expressions. Pure."""
