"""Templates as data: read, checked, evaluated."""
