"""What the account knows: typed records, snapshots of all of them, and how they are saved."""
