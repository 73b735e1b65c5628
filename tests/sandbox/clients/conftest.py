"""Which clients there are on this machine."""

import shutil

# Without node and npm there is nothing to run: the test is not there, rather than skipped.
collect_ignore = [] if shutil.which("node") and shutil.which("npm") else ["test_javascript.py"]
