"""Verifies a body's Content-MD5 and ``x-amz-checksum-*`` headers.

AWS documentation: "Checking object integrity in Amazon S3" (S3 User Guide).
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping

from anycrc import Model

from stslab.sandbox.api.faults import SAYS, fault

PREFIX = "x-amz-checksum-"
_ANNOUNCED = "x-amz-sdk-checksum-algorithm"
_NOT_VALUES = {"mode", "type", "algorithm"}  # headers with the prefix that are not checksums
_CRC32C, _CRC64NVME = Model("CRC32-ISCSI"), Model("CRC64-NVME")
ALGORITHMS: Mapping[str, Callable[[bytes], bytes]] = {
    "crc32": lambda content: zlib.crc32(content).to_bytes(4, "big"),
    "crc32c": lambda content: _CRC32C.calc(content).to_bytes(4, "big"),
    "crc64nvme": lambda content: _CRC64NVME.calc(content).to_bytes(8, "big"),
    "sha1": lambda content: hashlib.sha1(content, usedforsecurity=False).digest(),
    "sha256": lambda content: hashlib.sha256(content).digest(),
    "sha512": lambda content: hashlib.sha512(content).digest(),
    "md5": lambda content: hashlib.md5(content, usedforsecurity=False).digest(),
}


def verify(headers: Mapping[str, str], body: bytes) -> None:
    """Verify a body against the checksums in its headers (lower-case names)."""
    if "content-md5" in headers:
        _verify_md5(headers["content-md5"], body)
    sent = [name.removeprefix(PREFIX) for name in headers if name.startswith(PREFIX)]
    sent = [algorithm for algorithm in sent if algorithm not in _NOT_VALUES]
    announced = headers.get(_ANNOUNCED, "").lower()
    if len(sent) > 1:
        raise fault("InvalidRequest", SAYS["checksums"])
    if announced and body and not sent:
        raise fault("InvalidRequest", SAYS["checksum promised"])
    if announced and sent and sent != [announced]:
        raise fault("InvalidRequest", f"Value for {_ANNOUNCED} header is invalid.")
    for algorithm in sent:
        _verify_checksum(algorithm, headers[f"{PREFIX}{algorithm}"], body)


def _verify_md5(sent: str, body: bytes) -> None:
    expected, actual = _decoded(sent), ALGORITHMS["md5"](body)
    if len(expected) != len(actual):
        raise fault("InvalidDigest", extra={"Content-MD5": sent})
    if expected != actual:
        ours = base64.b64encode(actual).decode()
        raise fault("BadDigest", SAYS["MD5"], ExpectedDigest=expected.hex(), CalculatedDigest=ours)


def _verify_checksum(algorithm: str, sent: str, body: bytes) -> None:
    if algorithm.startswith("xxhash"):
        raise fault("NotImplemented", Header=f"{PREFIX}{algorithm}")
    if algorithm not in ALGORITHMS:
        raise fault("InvalidRequest", SAYS["checksum unknown"])
    expected, actual = _decoded(sent), ALGORITHMS[algorithm](body)
    if len(expected) != len(actual):
        raise fault("InvalidRequest", f"Value for {PREFIX}{algorithm} header is invalid.")
    if expected != actual:
        raise fault("BadDigest", SAYS["checksum of whole"].format(algorithm.upper()))


def _decoded(sent: str) -> bytes:
    try:
        return base64.b64decode(sent, validate=True)
    except ValueError:
        return b""
