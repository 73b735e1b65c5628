"""HTTP, the process and its client, import and export."""
