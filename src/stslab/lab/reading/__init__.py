"""From YAML to the frozen model, with the place of everything that is wrong."""
