import base64
from datetime import UTC, datetime, timedelta

import pytest

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.iam.mfa import devices as mfa_devices
from stslab.sandbox.iam.mfa import totp
from stslab.sandbox.iam.mfa.devices import MfaDevice

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
    assert totp.code(RFC_SEED, totp.step_of(datetime.fromtimestamp(seconds, UTC))) == digits


def device() -> MfaDevice:
    return MfaDevice("arn:aws:iam::111122223333:mfa/d", totp.new_seed(), NOW)


def code(of: MfaDevice, at: datetime) -> str:
    return totp.code(of.seed, totp.step_of(at))


def test_a_seed_has_64_characters_and_is_not_shown() -> None:
    made = device()
    assert len(made.seed) == 64
    assert made.seed not in repr(made)


def test_a_code_works_once() -> None:
    made = device()
    assert made.accepts(code(made, NOW), NOW)
    assert not made.accepts(code(made, NOW), NOW)
    later = NOW + timedelta(seconds=30)
    assert made.accepts(code(made, later), later)


def test_an_older_code_does_not_work_after_a_newer_one() -> None:
    made = device()
    assert made.accepts(code(made, NOW), NOW)
    assert not made.accepts(code(made, NOW - timedelta(seconds=30)), NOW)


@pytest.mark.parametrize(("seconds", "works"), [(-60, False), (-30, True), (30, True), (60, False)])
def test_clocks_may_differ_by_one_step(seconds: int, works: bool) -> None:
    made = device()
    assert made.accepts(code(made, NOW + timedelta(seconds=seconds)), NOW) is works


def test_a_device_whose_clock_is_off_works_after_it_was_synchronised() -> None:
    made = device()
    ahead = NOW + timedelta(hours=2)
    first, second = code(made, ahead), code(made, ahead + timedelta(seconds=30))
    assert not made.synchronise(first, second, NOW)
    assert made.resynchronise(first, second, NOW)
    assert made.accepts(code(made, ahead + timedelta(seconds=60)), NOW + timedelta(seconds=60))


def test_nothing_was_tried() -> None:
    assert not mfa_devices.verified(None, None, None, None, NOW)


def test_a_code_without_a_device_is_refused() -> None:
    with pytest.raises(ApiFault, match="must provide both"):
        mfa_devices.verified(None, None, None, "123456", NOW)
