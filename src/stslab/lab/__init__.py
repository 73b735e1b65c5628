"""What a lab is: YAML to a frozen model, its references and its problems. Pure."""
