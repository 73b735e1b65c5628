"""A run's report, and a class's: as text, Markdown, HTML, JUnit and CSV."""
