"""Verifies a body's Content-MD5 and ``x-amz-checksum-*`` headers.

AWS documentation: "Checking object integrity in Amazon S3" (S3 User Guide).
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping

from anycrc import Model

from stslab.sandbox.api.faults import SAYS, fault
from stslab.sandbox.api.model import HttpRequest

Headers = Mapping[str, str]
PREFIX = "x-amz-checksum-"
ANNOUNCED = "x-amz-sdk-checksum-algorithm"
_TRAILER = "x-amz-trailer"
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
_NOT_HERE = ("xxhash3", "xxhash64", "xxhash128")
_TRAILERS = {f"{PREFIX}{algorithm}" for algorithm in (*ALGORITHMS, *_NOT_HERE)}


def trailing(headers: Headers) -> list[str]:
    """The names of the headers that are promised to follow the body."""
    names = headers.get(_TRAILER, "").rstrip(",")
    return [name.strip().lower() for name in names.split(",")] if names else []


def sent(headers: Headers) -> list[str]:
    """The algorithms of the checksums in headers."""
    names = [name.removeprefix(PREFIX) for name in headers if name.startswith(PREFIX)]
    return [algorithm for algorithm in names if algorithm not in _NOT_VALUES]


def check(request: HttpRequest, headers: Headers) -> None:
    """Refuse headers (lower-case names) that say of the body what can't be, in S3's order.

    Checksums beside an uploadId are not the body's (CompleteMultipartUpload).
    """
    is_put = request.method == "PUT"
    if is_put:
        _md5(headers)
    if is_put or "uploadId" not in dict(request.query):
        _check_checksums(headers, request.body)
    _md5(headers)


def _check_checksums(headers: Headers, body: bytes) -> None:
    given, trailers = sent(headers), trailing(headers)
    if not {*ALGORITHMS, *_NOT_HERE}.issuperset(given):
        raise fault("InvalidRequest", SAYS["checksum unknown"])
    if not _TRAILERS.issuperset(trailers):
        raise fault("InvalidRequest", SAYS["trailer unknown"])
    if max(len(given), len(trailers)) > 1:
        raise fault("InvalidRequest", SAYS["checksums"])
    if given and trailers:
        raise fault("InvalidRequest", SAYS["checksum twice"])
    for algorithm in given:
        _checksum(algorithm, headers)
    announced = headers.get(ANNOUNCED, "").lower()
    given = given or [name.removeprefix(PREFIX) for name in trailers]
    if announced and body and not given:
        raise fault("InvalidRequest", SAYS["checksum promised"])
    if announced and given and given != [announced]:
        raise fault("InvalidRequest", f"Value for {ANNOUNCED} header is invalid.")


def verify(request: HttpRequest, headers: Headers, sha256: str) -> None:
    """Verify a body against the digests in its checked headers, and ``sha256``.

    The MD5 of a copy, which has no body, is not the body's. That of an object or a new bucket is
    told in hexadecimal.
    """
    body, arguments, is_put = request.body, dict(request.query), request.method == "PUT"
    if sha256 and (found := ALGORITHMS["sha256"](body).hex()) != sha256.lower():
        if not request.has_header("Content-Length"):
            raise fault("MissingContentLength")
        extra = {"ClientComputedContentSHA256": sha256, "S3ComputedContentSHA256": found}
        raise fault("XAmzContentSHA256Mismatch", extra=extra)
    md5 = _md5(headers) if body or "x-amz-copy-source" not in headers else b""
    if md5 and md5 != (actual := ALGORITHMS["md5"](body)):
        in_hex = is_put and not any(re.match("(?!x-)[a-z]", name) for name in arguments)
        shown = md5.hex() if in_hex else headers["content-md5"]
        ours = base64.b64encode(actual).decode()
        raise fault("BadDigest", SAYS["MD5"], CalculatedDigest=ours, ExpectedDigest=shown)
    for algorithm in sent(headers) if is_put or "uploadId" not in arguments else ():
        if _checksum(algorithm, headers) != ALGORITHMS[algorithm](body):
            raise fault("BadDigest", SAYS["checksum of whole"].format(algorithm.upper()))


def _md5(headers: Headers) -> bytes:
    told = headers.get("content-md5", "")
    if "content-md5" in headers and len(_decoded(told)) != len(ALGORITHMS["md5"](b"")):
        raise fault("InvalidDigest", extra={"Content-MD5": told})
    return _decoded(told)


def _checksum(algorithm: str, headers: Headers) -> bytes:
    name = f"{PREFIX}{algorithm}"
    if algorithm in _NOT_HERE:
        raise fault("NotImplemented", Header=name)
    digest = _decoded(headers[name])
    if len(digest) != len(ALGORITHMS[algorithm](b"")):
        place = "trailing header" if _TRAILER in headers else "header"
        raise fault("InvalidRequest", f"Value for {name} {place} is invalid.")
    return digest


def _decoded(sent: str) -> bytes:
    """What is encoded in base64; nothing if it is not, or if it could be encoded in another way."""
    try:
        decoded = base64.b64decode(sent, validate=True)
    except ValueError:
        return b""
    return decoded if base64.b64encode(decoded).decode() == sent else b""
