"""How many tests run at once."""

import os


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: half of their time tests wait, for processes, stacks and the aws CLI."""
    return 2 * (os.cpu_count() or 1)
