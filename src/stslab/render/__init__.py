"""What people and programs see: events to a terminal, to JSON lines, to reports."""
