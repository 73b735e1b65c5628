"""Reports of a run and of a class, as text, Markdown, HTML, JUnit and CSV."""
