"""The account's data: typed records, snapshots, transactions, and how they are saved."""
