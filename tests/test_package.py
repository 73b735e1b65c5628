"""The package itself."""

import stslab


def test_version_is_set():
    assert stslab.__version__.count(".") == 2
