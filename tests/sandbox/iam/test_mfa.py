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


# Public records of AWS's answers of September 2026 (radkawar/stackd, testdata/aws/iam): how far the
# second code was from the time when the device was synchronised, then how far from its time each
# code was that AWS took, and that AWS refused.
@pytest.mark.parametrize(
    ("second", "taken", "refused"),
    [
        pytest.param(0, (-2, -1, 0, 1, 2), (-3, 3), id="mfa_verification.json"),
        pytest.param(4, (5,), (), id="mfa_self_management.json, self_resync_key"),
        pytest.param(4, (3, 5), (), id="mfa_recreation_adjusted.json, enable_replacement"),
        pytest.param(10, (9, 10, 11), (), id="mfa_synchronization_codes.json, resync_first"),
    ],
)
def test_the_second_code_that_synchronises_a_device_is_the_one_of_now(
    second: int, taken: tuple[int, ...], refused: tuple[int, ...]
) -> None:
    made, later = device(), NOW + timedelta(minutes=10)
    pair = {
        f"AuthenticationCode{n}": code(made, NOW + timedelta(seconds=30 * (second + n - 2)))
        for n in (1, 2)
    }
    known = mfa.synchronised(made, pair, NOW)
    answers = {
        off: bool(mfa.accepted(known, code(made, later + timedelta(seconds=30 * off)), later))
        for off in (*taken, *refused)
    }
    assert answers == dict.fromkeys(taken, True) | dict.fromkeys(refused, False)


def test_each_synchronisation_searches_from_the_last_one() -> None:
    """A public record of AWS's answers: radkawar/stackd, testdata/aws/iam/mfa_resync_anchor.json."""
    made, step = device(), timedelta(seconds=30)

    def synchronised(second: int) -> None:
        nonlocal made
        codes = (code(made, NOW + (second - 1) * step), code(made, NOW + second * step))
        pair = dict(zip(("AuthenticationCode1", "AuthenticationCode2"), codes, strict=True))
        made = mfa.synchronised(made, pair, NOW)

    for second in (600, 1200, 1800, 1802, 1804):
        synchronised(second)
    with pytest.raises(ApiFault, match="not valid"):
        synchronised(1804 + 1001)
    synchronised(1804 + 1000)


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
