"""How wide a text may be."""

import os

import pytest

from stslab.render.text.symbols import columns


@pytest.mark.parametrize(
    ("said", "terminal", "width"),
    [("120", 100, 120), ("", 100, 100), ("0", 100, 100), ("120", None, 120), ("", None, 80),
     ("wide", None, 80), ("-3", 100, 80), ("", 0, 80)],
)  # fmt: skip
def test_as_wide_as_the_variable_or_the_terminal(monkeypatch, said, terminal, width):
    def size(*_: int) -> os.terminal_size:
        if terminal is None:
            raise OSError("it is a pipe")
        return os.terminal_size((terminal, 24))

    monkeypatch.setenv("COLUMNS", said)
    monkeypatch.setattr(os, "get_terminal_size", size)
    assert columns() == width
