"""aws-chunked uploads: the payload out of its frames, each frame's signature verified.

AWS documentation: "Signature Calculations for the Authorization Header: Transferring Payload
in Multiple Chunks (Chunked Upload) (AWS Signature Version 4)", and the same "Including
Trailing Headers" (S3 API Reference).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from stslab.sandbox.api.s3_faults import fault
from stslab.sandbox.signing.canonical import EMPTY_SHA256, same

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
MODES = frozenset({UNSIGNED_TRAILER, SIGNED, SIGNED_TRAILER})

_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?\r\n")
_TRAILER = re.compile(rb"([a-zA-Z0-9-]+):[ \t]*([^\r\n]*?)[ \t]*\r?\n(?:\r\n)?")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"
_SMALLEST = 8192


@dataclass(slots=True)
class ChunkSigner:
    """The chain of signatures that begins with the request's own (``previous``)."""

    key: bytes = field(repr=False)
    stamp: str
    scope: str
    previous: str

    def accepts(self, chunk: bytes, signature: str) -> bool:
        """Whether this is the next chunk's signature; it is then what the chain goes on from."""
        digest = hashlib.sha256(chunk).hexdigest()
        return self._accepts(
            f"AWS4-HMAC-SHA256-PAYLOAD\n{self._chain}\n{EMPTY_SHA256}", digest, signature
        )

    def accepts_trailer(self, trailer: str, signature: str) -> bool:
        """Whether this is the signature of the trailing headers, which end the chain."""
        digest = hashlib.sha256(trailer.encode()).hexdigest()
        return self._accepts(f"AWS4-HMAC-SHA256-TRAILER\n{self._chain}", digest, signature)

    @property
    def _chain(self) -> str:
        return f"{self.stamp}\n{self.scope}\n{self.previous}"

    def _accepts(self, what: str, digest: str, signature: str) -> bool:
        ours = hmac.digest(self.key, f"{what}\n{digest}".encode(), "sha256").hex()
        self.previous = ours
        return same(ours, signature)


def decode(
    body: bytes, mode: str, signer: ChunkSigner | None, headers: Mapping[str, str]
) -> tuple[bytes, dict[str, str]]:
    """The payload and the trailing headers (lower-case names) of an aws-chunked body.

    ``signer`` is None for the unsigned mode. ``headers`` are the request's, by lower-case name.
    """
    announced = headers.get("x-amz-decoded-content-length", "")
    if not re.fullmatch(r"[0-9]{1,19}", announced):
        raise fault("MissingContentLength")
    payload, end = _payload(body, signer)
    if len(payload) != int(announced):
        raise fault("IncompleteBody")
    promised = {name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")}
    trailers = _trailers(body[end:], signer if mode == SIGNED_TRAILER else None, mode)
    if set(trailers) != promised - {""}:
        raise fault("MalformedTrailerError")
    return payload, trailers


def _payload(body: bytes, signer: ChunkSigner | None) -> tuple[bytes, int]:
    payload = bytearray()
    position, small = 0, False
    while True:
        line = _SIZE_LINE.match(body, position)
        if not line:
            raise fault("IncompleteBody")
        size = int(line[1], 16)
        chunk = body[line.end() : line.end() + size]
        if signer is None and line[2]:
            raise fault("IncompleteBody")
        if signer is not None and not signer.accepts(chunk, (line[2] or b"").decode()):
            raise fault("SignatureDoesNotMatch")
        if not size:
            return bytes(payload), line.end()
        if len(chunk) < size or body[line.end() + size : line.end() + size + 2] != b"\r\n":
            raise fault("IncompleteBody")
        if small:
            raise fault("InvalidChunkSizeError")
        small = size < _SMALLEST and signer is not None
        payload += chunk
        position = line.end() + size + 2


def _trailers(rest: bytes, signer: ChunkSigner | None, mode: str) -> dict[str, str]:
    if mode == SIGNED:
        if rest != b"\r\n":
            raise fault("IncompleteBody")
        return {}
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
    signature = trailers.pop(_TRAILER_SIGNATURE, "")
    signed = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
    if signer is not None and not signer.accepts_trailer(signed, signature):
        raise fault("SignatureDoesNotMatch")
    return trailers
