"""Decodes the payload of aws-chunked uploads, and verifies the signatures of its chunks.

"Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks
(Chunked Upload)", and the same "Including Trailing Headers" (S3 API Reference).
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from stslab.sandbox.api.faults import fault
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.signing.canonical import EMPTY_SHA256, same

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = f"{SIGNED}-TRAILER"
MODES = frozenset({UNSIGNED_TRAILER, SIGNED, SIGNED_TRAILER})

_SIZE_LINE = re.compile(
    rb"([0-9a-fA-F]{1,16})(?:[ \t]{0,9};([!-:<-~]{1,128};)?[ \t]{0,9}chunk-signature[ \t]{0,9}="
    rb"[ \t]{0,9}([!-:<-~]{1,128})[ \t]{0,9})?\r\n"
)
_TRAILER = re.compile(rb"([a-zA-Z0-9-]+):([^\r]*)")
_SIGNATURE = "x-amz-trailer-signature"
_SMALLEST = 8192


@dataclass(slots=True)
class ChunkSigner:
    """Verifies the chain of chunk signatures; ``previous`` is first the request's signature.

    ``refusal``: the error for a string to sign, and the signature that is not its.
    """

    key: bytes = field(repr=False)
    stamp: str
    scope: str
    previous: str
    refusal: Callable[[str, str], ApiFault]

    def verify(self, content: bytes, signature: bytes, *, trailer: bool = False) -> None:
        """Verify the signature of the next chunk, or at last of the trailing headers."""
        digest = hashlib.sha256(content).hexdigest()
        signed = digest if trailer else f"{EMPTY_SHA256}\n{digest}"
        what = "TRAILER" if trailer else "PAYLOAD"
        chain = f"{self.stamp}\n{self.scope}\n{self.previous}"
        to_sign = f"AWS4-HMAC-SHA256-{what}\n{chain}\n{signed}"
        self.previous = hmac.digest(self.key, to_sign.encode(), "sha256").hex()
        if not same(self.previous, given := signature.decode("latin-1")):
            raise self.refusal(to_sign, given)


def decode(
    body: bytes, mode: str, signer: ChunkSigner | None, promised: Collection[str]
) -> tuple[bytes, dict[str, str]]:
    """The payload and the trailing headers, by lower-case names, of which some are ``promised``."""
    checked = None if mode == UNSIGNED_TRAILER else signer
    payload, end = _payload(body, checked)
    if mode == SIGNED and body[end:] != b"\r\n":
        raise fault("IncompleteBody")
    trailers = {} if mode == SIGNED else _trailers(body[end:], checked, promised)
    if trailers.keys() != {*promised}:
        raise fault("MalformedTrailerError")
    return payload, trailers


def _payload(body: bytes, signer: ChunkSigner | None) -> tuple[bytes, int]:
    """The payload, and the position in the body after its last chunk."""
    payload = bytearray()
    position = 0
    number = 0  # of the chunk
    small = 0  # the size of the chunk before, if only the last one may be as small
    while True:
        line = _SIZE_LINE.match(body, position)
        if not line or (signer is None) != (line[3] is None):
            raise fault("IncompleteBody")
        size = int(line[1], 16)
        chunk = body[line.end() : line.end() + size]
        if signer is not None:
            signer.verify(chunk, line[2] or line[3])  # an extension counts as the signature
        if not size:
            return bytes(payload), line.end()
        if len(chunk) < size or body[line.end() + size : line.end() + size + 2] != b"\r\n":
            raise fault("IncompleteBody")
        number += 1
        if small:
            raise fault("InvalidChunkSizeError", Chunk=number, BadChunkSize=small)
        small = size if size < _SMALLEST else 0
        payload += chunk
        position = line.end() + size + 2


def _trailers(rest: bytes, signer: ChunkSigner | None, promised: Collection[str]) -> dict[str, str]:
    """What is before the first empty line; what comes after it counts for nothing."""
    head, ends, _ = (b"\r\n" + rest).partition(b"\r\n\r\n")
    if not (ends or head.endswith(b"\r\n")):
        raise fault("IncompleteBody")
    found = [_TRAILER.fullmatch(line) for line in head.split(b"\r\n") if line]
    lines = [(one[1].decode().lower(), one[2].strip()) for one in found if one]
    if len(lines) < len(found):
        raise fault("MalformedTrailerError")
    trailers = dict(lines)
    signature = trailers.pop(_SIGNATURE, b"")
    if signer is not None:
        if not signature or not (trailers or promised):
            raise fault("IncompleteBody")
        sent = [f"{name}:".encode() + value for name, value in sorted(lines) if name != _SIGNATURE]
        signer.verify(b"\n".join((*sent, b"")), signature, trailer=True)
    return {name: value.decode("latin-1") for name, value in trailers.items()}
