import base64
from datetime import UTC, datetime, timedelta

import pytest

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.iam import mfa
from stslab.sandbox.state.identities import MfaDevice
from stslab.sandbox.state.snapshot import Snapshot, Transaction

RFC_SEED = base64.b32encode(b"12345678901234567890").decode()
NOW = datetime(2030, 1, 1, tzinfo=UTC)


# RFC 6238, appendix B, the last six digits of the SHA-1 rows.
@pytest.mark.parametrize(
    ("seconds", "digits"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(seconds: int, digits: str) -> None:
    assert mfa.code(RFC_SEED, mfa.step_of(datetime.fromtimestamp(seconds, UTC))) == digits


def device() -> MfaDevice:
    serial = "arn:aws:iam::111122223333:mfa/d"
    return MfaDevice(account="111122223333", serial=serial, seed="ABCDEFGH" * 8, created=NOW)


def code(of: MfaDevice, at: datetime) -> str:
    return mfa.code(of.seed, mfa.step_of(at))


def test_a_seed_has_64_characters_and_is_not_shown() -> None:
    made = device()
    assert len(made.seed) == 64
    assert made.seed not in repr(made)


def test_a_code_works_once() -> None:
    made = device()
    spent = mfa.accepted(made, code(made, NOW), NOW)
    assert spent is not None
    assert mfa.accepted(spent, code(made, NOW), NOW) is None
    later = NOW + timedelta(seconds=30)
    assert mfa.accepted(spent, code(made, later), later)


def test_an_older_code_works_after_a_newer_one_and_once() -> None:
    """A public record of AWS's answers: radkawar/stackd, testdata/aws/iam/mfa_code_order.json."""
    made, older = device(), NOW - timedelta(seconds=30)
    spent = mfa.accepted(made, code(made, NOW), NOW)
    assert spent is not None
    again = mfa.accepted(spent, code(made, older), NOW)
    assert again is not None
    assert mfa.accepted(again, code(made, older), NOW) is None
    assert mfa.accepted(again, code(made, NOW), NOW) is None


@pytest.mark.parametrize(("seconds", "works"), [(-90, False), (-60, True), (60, True), (90, False)])
def test_clocks_may_differ_by_two_steps(seconds: int, works: bool) -> None:
    made = device()
    spent = mfa.accepted(made, code(made, NOW + timedelta(seconds=seconds)), NOW)
    assert (spent is not None) is works


@pytest.mark.parametrize(("steps", "works"), [(-3, False), (-2, True), (2, True), (3, False)])
def test_a_clock_that_is_three_steps_off_or_less_is_not_taken_for_right(
    steps: int, works: bool
) -> None:
    """A public record of AWS's answers: radkawar/stackd, testdata/aws/iam/mfa_verification.json."""
    made, off, step = device(), timedelta(seconds=30 * steps), timedelta(seconds=30)
    pair = {f"AuthenticationCode{n}": code(made, NOW + off + (n - 1) * step) for n in (1, 2)}
    known, later = mfa.synchronised(made, pair, NOW), NOW + 4 * step
    assert (mfa.accepted(known, code(made, later + off), later) is not None) is works


def test_a_device_with_a_wrong_clock_works_after_it_was_synchronised() -> None:
    made = device()
    ahead = NOW + timedelta(hours=8)
    first, second = code(made, ahead), code(made, ahead + timedelta(seconds=30))
    codes = {"AuthenticationCode1": first, "AuthenticationCode2": second}
    with pytest.raises(ApiFault, match="not valid"):
        mfa.synchronised(made, codes, NOW - timedelta(minutes=30))
    known = mfa.synchronised(made, codes, NOW)
    with pytest.raises(ApiFault, match="not valid"):  # each pair is newer than the last
        mfa.synchronised(known, codes, NOW)
    later = timedelta(seconds=60)
    assert mfa.accepted(known, code(made, ahead + later), NOW + later)


def test_a_code_without_a_device_is_refused() -> None:
    with pytest.raises(ApiFault, match="must provide both"):
        mfa.spend(Transaction(Snapshot()), None, None, "123456", NOW)
