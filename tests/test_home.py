"""Where things are kept, as the environment says it."""

import pytest

from stslab.errors import UsageError
from stslab.home import home


def test_the_usual_account_and_a_named_one_are_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path))
    monkeypatch.delenv("STSLAB_SANDBOX", raising=False)
    assert home().sandbox == tmp_path / "sandbox"
    monkeypatch.setenv("STSLAB_SANDBOX", "team-2")
    assert home().sandbox == tmp_path / "sandbox" / "team-2"


@pytest.mark.parametrize("name", ["../x", "A", "-a", "a" * 33, "a/b", "."])
def test_a_name_is_no_path(tmp_path, monkeypatch, name):
    monkeypatch.setenv("STSLAB_SANDBOX", name)
    with pytest.raises(UsageError):
        home()
