"""The account of tests/sandbox, for clients that are not stslab's."""

from tests.sandbox.conftest import account, fresh

__all__ = ["account", "fresh"]
