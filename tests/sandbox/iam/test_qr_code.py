"""The QR code of a virtual MFA device encodes the URL that an authenticator app reads."""

from __future__ import annotations

import secrets
import struct
import zlib
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import segno
from tests.sandbox.cases import LEARNER, Account

SCALE, QUIET = 6, 4


def chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG; their checksums are verified."""
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    at = 8
    while at < len(image):
        (length,) = struct.unpack_from(">I", image, at)
        kind, data = image[at + 4 : at + 8], image[at + 8 : at + 8 + length]
        (check,) = struct.unpack_from(">I", image, at + 8 + length)
        assert check == zlib.crc32(kind + data)
        yield kind, data
        at += 12 + length


def modules(image: bytes) -> list[list[int]]:
    """The modules in a black and white PNG, without the quiet zone. 1 is dark."""
    found = list(chunks(image))
    assert (found[0][0], found[-1][0]) == (b"IHDR", b"IEND")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", found[0][1])
    assert (width, depth, colour, interlaced) == (height, 1, 0, 0)
    lines = zlib.decompress(b"".join(data for kind, data in found if kind == b"IDAT"))
    row = (width + 7) // 8 + 1
    assert len(lines) == row * height
    size = width // SCALE - 2 * QUIET
    rows = []
    for number in range(size):
        line = lines[(number + QUIET) * SCALE * row :][:row]
        assert line[0] == 0  # the row's filter: none
        bits = "".join(f"{byte:08b}" for byte in line[1:])
        rows.append([1 - int(bits[(column + QUIET) * SCALE]) for column in range(size)])
    return rows


@pytest.mark.parametrize("length", [12, 226])
def test_the_qr_code_has_the_seed(account: Account, length: int) -> None:
    name = f"a+b=,.@-_{secrets.token_hex(4)}".ljust(length, "=")
    made = account.client("iam", "admin").create_virtual_mfa_device(VirtualMFADeviceName=name)
    device = made["VirtualMFADevice"]
    seed = device["Base32StringSeed"].decode()
    url = f"otpauth://totp/{quote(name)}@{LEARNER}?secret={seed}"
    wanted = segno.make_qr(url)
    assert modules(device["QRCodePNG"]) == [list(row) for row in wanted.matrix]
