"""The commands for accounts: the embedded one, and the settings that clients need."""
