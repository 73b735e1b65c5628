import hashlib
import struct
import zlib

import pytest

from stslab.sandbox.iam.mfa import qr

# The modules of 192 times "x", row by row, as another implementation (segno 1.6.6) makes them.
OF_ANOTHER = "0280f0adce4393e0d65eaa2398c0aeca474d96c68480b9c0596888e12d0afa7d"


def test_modules_are_those_of_another_implementation() -> None:
    modules = bytes(module for row in qr.matrix(b"x" * 192) for module in row)
    assert hashlib.sha256(modules).hexdigest() == OF_ANOTHER


def test_other_data_is_another_code() -> None:
    assert qr.matrix(b"a") != qr.matrix(b"b")


def test_the_image_is_a_whole_png() -> None:
    image = qr.png(b"otpauth://totp/me@111122223333?secret=ABC")
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, colour = struct.unpack(">IIBB", image[16:26])
    assert (width, height, depth, colour) == (342, 342, 1, 0)
    length = struct.unpack(">I", image[33:37])[0]
    assert len(zlib.decompress(image[41 : 41 + length])) == 342 * (1 + 43)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        qr.png(b"x" * 193)
