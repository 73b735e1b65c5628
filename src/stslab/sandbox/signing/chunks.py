"""Decodes the payload of aws-chunked uploads, and verifies the signatures of its chunks.

"Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks
(Chunked Upload)", and the same "Including Trailing Headers" (S3 API Reference).
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from stslab.sandbox.api.faults import SAYS, fault
from stslab.sandbox.signing.canonical import EMPTY_SHA256, Headers, same

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = f"{SIGNED}-TRAILER"
MODES = frozenset({UNSIGNED_TRAILER, SIGNED, SIGNED_TRAILER})

_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?\r\n")
_TRAILER = re.compile(rb"([a-zA-Z0-9-]+):[ \t]*([^\r\n]*?)[ \t]*\r?\n(?:\r\n)?")
_SMALLEST = 8192


@dataclass(slots=True)
class ChunkSigner:
    """Verifies the chain of chunk signatures; ``previous`` is first the request's signature."""

    key: bytes = field(repr=False)
    stamp: str
    scope: str
    previous: str

    def accepts(self, content: bytes, signature: str, *, trailer: bool = False) -> bool:
        """Whether this is the signature of the next chunk, or at last of the trailing headers."""
        digest = hashlib.sha256(content).hexdigest()
        signed = digest if trailer else f"{EMPTY_SHA256}\n{digest}"
        what = "TRAILER" if trailer else "PAYLOAD"
        chain = f"{self.stamp}\n{self.scope}\n{self.previous}"
        to_sign = f"AWS4-HMAC-SHA256-{what}\n{chain}\n{signed}"
        self.previous = hmac.digest(self.key, to_sign.encode(), "sha256").hex()
        return same(self.previous, signature)


def decode(
    body: bytes, mode: str, signer: ChunkSigner | None, headers: Headers
) -> tuple[bytes, dict[str, str]]:
    """The payload and the trailing headers (lower-case names); ``signer``: of signed modes."""
    length = headers.get("x-amz-decoded-content-length", "")
    if not re.fullmatch(r"[0-9]{1,19}", length):
        raise fault("MissingContentLength")
    payload, end = _payload(body, signer)
    if len(payload) != int(length):
        sizes = {"NumberBytesExpected": length, "NumberBytesProvided": len(payload)}
        raise fault("IncompleteBody", SAYS["too few bytes"], sizes)
    promised = {name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")}
    if mode == SIGNED and body[end:] != b"\r\n":
        raise fault("IncompleteBody")
    trailers = {} if mode == SIGNED else _trailers(body[end:], signer)
    if set(trailers) != promised - {""}:
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
        if not line or (signer is None and line[2]):
            raise fault("IncompleteBody")
        size = int(line[1], 16)
        chunk = body[line.end() : line.end() + size]
        if signer is not None and not signer.accepts(chunk, (line[2] or b"").decode()):
            raise fault("SignatureDoesNotMatch")
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


def _trailers(rest: bytes, signer: ChunkSigner | None) -> dict[str, str]:
    trailers: dict[str, str] = {}
    position = 0
    while line := _TRAILER.match(rest, position):
        name = line[1].decode().lower()
        if name in trailers:
            raise fault("MalformedTrailerError")
        trailers[name] = line[2].decode("latin-1")
        position = line.end()
    if rest[position:] not in (b"", b"\r\n"):
        raise fault("MalformedTrailerError")
    signature = trailers.pop("x-amz-trailer-signature", "")
    signed = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
    if signer is not None and not signer.accepts(signed.encode(), signature, trailer=True):
        raise fault("SignatureDoesNotMatch")
    return trailers
