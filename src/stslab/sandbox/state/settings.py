"""What belongs to the embedded account as a whole, and to each of its AWS accounts."""

from typing import ClassVar

import msgspec

from stslab.sandbox.state.record import Moment, Record


class Settings(Record, frozen=True, kw_only=True):
    """What belongs to no account. There is one record of it.

    ``instance`` is another one after each reset. ``clock_offset`` are the seconds by which the
    clock is ahead. ``rehearsal`` describes the rehearsal that goes on, or is empty.
    """

    table: ClassVar[str] = "settings"

    account: str = ""
    instance: str = ""
    clock_offset: float = 0.0
    rehearsal: str = ""


class PasswordPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rules for the passwords of an account's users (IAM, UpdateAccountPasswordPolicy)."""

    minimum_length: int = 6
    symbols: bool = False
    numbers: bool = False
    uppercase: bool = False
    lowercase: bool = False
    may_change: bool = False
    max_age: int = 0
    reuse_prevention: int = 0
    hard_expiry: bool = False


class CredentialReport(msgspec.Struct, frozen=True):
    """The report that was generated last, as CSV."""

    generated: Moment
    text: str


class Account(Record, frozen=True, kw_only=True):
    """One AWS account. ``canonical_id`` is how S3's access control lists name it."""

    table: ClassVar[str] = "account"

    name: str
    canonical_id: str
    alias: str = ""
    password_policy: PasswordPolicy | None = None
    credential_report: CredentialReport | None = None

    @property
    def root_arn(self) -> str:
        """The ARN of the root user, which is also how policies name the account."""
        return f"arn:aws:iam::{self.account}:root"
