"""The lesson of a lab: access table, predictions, tasks, hints, faults. No terminal, no boto3."""
