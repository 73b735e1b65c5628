"""Output for people and programs: terminal views, JSON lines, reports."""
