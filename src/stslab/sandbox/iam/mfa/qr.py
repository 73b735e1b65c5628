"""A QR code of up to 192 bytes, as PNG, for the app on a learner's telephone.

One size only: version 8 with error correction level L and mask 0 (ISO/IEC 18004), which
holds the seed of an MFA device and its name.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

CAPACITY = 192
_SIZE = 49
_BLOCKS = 2
_BLOCK_DATA = 97
_BLOCK_CHECK = 24
_ALIGNED = (6, 24, 42)
_FORMAT = 0b111011111000100  # level L, mask 0, with its check bits
_VERSION = 0b001000010110111100  # version 8, with its check bits
_BYTE_MODE = 0b0100
_PADDING = (0xEC, 0x11)
_QUIET = 4
_PIXELS = 6
_FIELD = 0x11D
_BYTE = 8

Grid = list[list[int | None]]


def png(data: bytes) -> bytes:
    """The code of ``data`` as a PNG image.

    Raises:
        ValueError: ``data`` is longer than :data:`CAPACITY`.
    """
    return _image(matrix(data))


def matrix(data: bytes) -> list[list[int]]:
    """The code's modules by row: 1 is dark."""
    if len(data) > CAPACITY:
        raise ValueError("too long for the code")
    grid: Grid = [[None] * _SIZE for _ in range(_SIZE)]
    _draw_patterns(grid)
    bits = _bits(_codewords(data))
    for row, column in _path(grid):
        masked = (row + column) % 2 == 0
        grid[row][column] = next(bits, 0) ^ masked
    return [[int(bool(module)) for module in line] for line in grid]


def _codewords(data: bytes) -> bytes:
    """Data and check bytes of both blocks, interleaved."""
    bits = f"{_BYTE_MODE:04b}{len(data):08b}{''.join(f'{byte:08b}' for byte in data)}0000"
    filled = [int(bits[at : at + _BYTE].ljust(_BYTE, "0"), 2) for at in range(0, len(bits), _BYTE)]
    filled = filled[: _BLOCKS * _BLOCK_DATA]
    missing = _BLOCKS * _BLOCK_DATA - len(filled)
    filled += [_PADDING[number % 2] for number in range(missing)]
    blocks = [filled[at : at + _BLOCK_DATA] for at in range(0, len(filled), _BLOCK_DATA)]
    checks = [_check_bytes(block) for block in blocks]
    together = [byte for column in zip(*blocks, strict=True) for byte in column]
    together += [byte for column in zip(*checks, strict=True) for byte in column]
    return bytes(together)


def _check_bytes(block: Iterable[int]) -> list[int]:
    """Reed-Solomon: the remainder of the block by the generator polynomial."""
    generator = _generator()
    rest = [0] * _BLOCK_CHECK
    for byte in block:
        factor = byte ^ rest[0]
        rest = [*rest[1:], 0]
        rest = [old ^ _times(factor, term) for old, term in zip(rest, generator, strict=True)]
    return rest


def _generator() -> list[int]:
    """The polynomial's terms after the first, which is one."""
    terms, root = [1], 1
    for _ in range(_BLOCK_CHECK):
        shifted = [*terms, 0]
        scaled = [0, *(_times(term, root) for term in terms)]
        terms = [a ^ b for a, b in zip(shifted, scaled, strict=True)]
        root = _times(root, 2)
    return terms[1:]


def _times(a: int, b: int) -> int:
    """The product in the field of 256 elements that QR codes use."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (_FIELD if a & 0x80 else 0)
        b >>= 1
    return product


def _bits(codewords: bytes) -> Iterator[int]:
    for byte in codewords:
        for place in range(_BYTE - 1, -1, -1):
            yield byte >> place & 1


def _draw_patterns(grid: Grid) -> None:
    for at in range(_SIZE):
        grid[6][at] = grid[at][6] = int(at % 2 == 0)
    for row, column in ((3, 3), (3, _SIZE - 4), (_SIZE - 4, 3)):
        _draw_square(grid, row, column, 4, (0, 1, 3))
    corners = {(6, 6), (6, 42), (42, 6)}
    for row in _ALIGNED:
        for column in _ALIGNED:
            if (row, column) not in corners:
                _draw_square(grid, row, column, 2, (0, 2))
    _draw_format(grid)
    _draw_version(grid)


def _draw_square(grid: Grid, row: int, column: int, reach: int, dark: tuple[int, ...]) -> None:
    """Concentric squares around a module; those at the distances in ``dark`` are dark."""
    for y in range(max(row - reach, 0), min(row + reach, _SIZE - 1) + 1):
        for x in range(max(column - reach, 0), min(column + reach, _SIZE - 1) + 1):
            grid[y][x] = int(max(abs(y - row), abs(x - column)) in dark)


def _draw_format(grid: Grid) -> None:
    bits = [_FORMAT >> place & 1 for place in range(15)]
    upright = [*range(6), 7, 8, *range(_SIZE - 7, _SIZE)]
    for bit, row in zip(bits, upright, strict=True):
        grid[row][8] = bit
    across = [*range(_SIZE - 1, _SIZE - 9, -1), 7, *range(5, -1, -1)]
    for bit, column in zip(bits, across, strict=True):
        grid[8][column] = bit
    grid[_SIZE - 8][8] = 1


def _draw_version(grid: Grid) -> None:
    for place in range(18):
        bit = _VERSION >> place & 1
        long, short = place // 3, _SIZE - 11 + place % 3
        grid[long][short] = grid[short][long] = bit


def _path(grid: Grid) -> Iterator[tuple[int, int]]:
    """The free modules in the order of the data: in pairs of columns, up and down."""
    free = [[module is None for module in line] for line in grid]
    upward = True
    for right in (*range(_SIZE - 1, 6, -2), 5, 3, 1):
        rows = range(_SIZE - 1, -1, -1) if upward else range(_SIZE)
        for row in rows:
            for column in (right, right - 1):
                if free[row][column]:
                    yield row, column
        upward = not upward


def _image(modules: list[list[int]]) -> bytes:
    """A PNG in black and white, with the quiet zone around the code."""
    side = (_SIZE + 2 * _QUIET) * _PIXELS
    blank = [0] * (_SIZE + 2 * _QUIET)
    framed = [blank] * _QUIET
    framed += [[0] * _QUIET + line + [0] * _QUIET for line in modules]
    framed += [blank] * _QUIET
    rows = b"".join(_scanline(line) * _PIXELS for line in framed)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _scanline(modules: list[int]) -> bytes:
    bits = "".join(("0" if module else "1") * _PIXELS for module in modules)
    bits = bits.ljust(-(-len(bits) // _BYTE) * _BYTE, "0")
    return bytes([0]) + int(bits, 2).to_bytes(len(bits) // _BYTE, "big")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
