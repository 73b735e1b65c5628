"""How tests run: how many at once, and properties without a deadline."""

import os

from hypothesis import settings

# A busy machine is no defect.
settings.register_profile("stslab", deadline=None)
settings.load_profile("stslab")


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: half of their time tests wait, for processes, stacks and the aws CLI."""
    return 2 * (os.cpu_count() or 1)
