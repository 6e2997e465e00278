"""QR symbols (ISO/IEC 18004) of level M in alphanumeric mode, fast enough for a burst of issues.

segno makes a whole symbol in 5-23 ms, most of it placing modules one by one. Here segno draws one symbol per version,
which supplies the function patterns and format bits; the data modules are then written over it through tables. The
mask is fixed to pattern 2, which decoders read from the format bits.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import segno
from numpy.typing import NDArray

from certs.adapters.layout import Box

Bits = NDArray[np.uint8]

ALPHANUMERIC: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES: Final = {char: value for value, char in enumerate(ALPHANUMERIC)}
_MASK: Final = 2
# ISO/IEC 18004 table 9, level M: error correction codewords per block, then (blocks, data codewords per block).
_BLOCKS_M: Final[dict[int, tuple[int, tuple[tuple[int, int], ...]]]] = {
    9: (22, ((3, 36), (2, 37))),
    10: (26, ((4, 43), (1, 44))),
    11: (30, ((1, 50), (4, 51))),
    12: (22, ((6, 36), (2, 37))),
    13: (22, ((8, 37), (1, 38))),
}
# ISO/IEC 18004 annex E: centre coordinates of alignment patterns.
_ALIGNMENT: Final = {9: (6, 26, 46), 10: (6, 28, 50), 11: (6, 30, 54), 12: (6, 32, 58), 13: (6, 34, 62)}


# How long a run of modules is, as PDF writes it; version 13 has 69 modules a side.
_LENGTHS: Final = [f"{length} 1 re" for length in range(70)]


class QrTooLongError(ValueError):
    """The text is longer than the largest version that can be printed at certificate size (13-M, 483 characters)."""


class QrAlphabetError(ValueError):
    """The text has characters outside the alphanumeric set of QR symbols."""


def encode_matrix(text: str) -> Bits:
    """The symbol of `text` as a square of 0 and 1 (1 is dark), without quiet zone; version 9-M where it fits.

    A certificate's symbols share one layout, so shorter texts do not get a smaller version.
    """
    values = _alphanumeric_values(text)
    bit_count = _payload_bits(len(values))
    for version in _BLOCKS_M:
        capacity = _data_codewords(version) * 8
        if 4 + _length_bits(version) + bit_count <= capacity:
            return _place(version, _with_correction(version, _data(version, values)))
    raise QrTooLongError(f"{len(text)} characters do not fit into a certificate's QR symbol")


def matrix_path(matrix: Bits, box: Box) -> str:
    """PDF operators that fill the dark modules into `box`: one path, so that no seams show between modules."""
    size = matrix.shape[0]
    scale = box.width / size
    edges = np.diff(np.pad(matrix.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _rows, ends = np.nonzero(edges == -1)
    runs = zip(rows.tolist(), starts.tolist(), (ends - starts).tolist(), strict=True)
    places = _places(size)
    rectangles = " ".join([places[row][start] + _LENGTHS[length] for row, start, length in runs])
    return f"q 0 g {scale:.6f} 0 0 {scale:.6f} {box.x:.3f} {box.y:.3f} cm {rectangles} f Q"


@cache
def _places(size: int) -> list[list[str]]:
    """Return where a run of modules begins, as PDF writes it, by row from the top and column."""
    return [[f"{column} {size - 1 - row} " for column in range(size)] for row in range(size)]


def _alphanumeric_values(text: str) -> list[int]:
    try:
        return [_VALUES[char] for char in text]
    except KeyError as error:
        raise QrAlphabetError(f"{error.args[0]!r} is not an alphanumeric QR character") from error


def _payload_bits(length: int) -> int:
    return 11 * (length // 2) + 6 * (length % 2)


def _length_bits(version: int) -> int:
    return 9 if version < 10 else 11


def _data_codewords(version: int) -> int:
    return sum(count * size for count, size in _BLOCKS_M[version][1])


def _data(version: int, values: list[int]) -> bytes:
    """Mode, length, pairs of characters, terminator and padding as data codewords."""
    bits = [f"{0b0010:04b}", format(len(values), f"0{_length_bits(version)}b")]
    bits += [f"{first * 45 + second:011b}" for first, second in zip(values[::2], values[1::2], strict=False)]
    if len(values) % 2:
        bits.append(f"{values[-1]:06b}")
    stream, capacity = "".join(bits), _data_codewords(version)
    stream += "0" * min(4, capacity * 8 - len(stream))
    stream += "0" * (-len(stream) % 8)
    data = int(stream, 2).to_bytes(len(stream) // 8, "big")
    return data + (b"\xec\x11" * capacity)[: capacity - len(data)]


def _with_correction(version: int, data: bytes) -> Bits:
    """Data and Reed-Solomon codewords in the interleaved order of transmission, as bits."""
    correction, groups = _BLOCKS_M[version]
    blocks, position = [], 0
    for count, size in groups:
        for _ in range(count):
            blocks.append(np.frombuffer(data, np.uint8, size, position))
            position += size
    longest = max(len(block) for block in blocks)
    parities = [_parity(block, correction) for block in blocks]
    ordered = [block[index] for index in range(longest) for block in blocks if index < len(block)]
    return np.unpackbits(np.concatenate([np.array(ordered, np.uint8), np.stack(parities, axis=1).ravel()]))


def _parity(block: Bits, correction: int) -> Bits:
    """The remainder is linear in the data: the exclusive or of one table row per data codeword."""
    rows: Bits = _remainders(len(block), correction)[np.arange(len(block)), block]
    parity: Bits = np.bitwise_xor.reduce(rows, axis=0)
    return parity


@cache
def _remainders(length: int, correction: int) -> Bits:
    """Reed-Solomon remainder of every codeword value at every position of a block; shape (length, 256, correction)."""
    exponents, logs = _field()
    generator = [1]
    for power in range(correction):
        root = exponents[power]
        shifted = [*generator, 0]
        for index, coefficient in enumerate(generator):
            shifted[index + 1] ^= _product(coefficient, root, exponents, logs)
        generator = shifted
    table = np.zeros((length, 256, correction), np.uint8)
    remainder = generator[1:]
    for position in range(length - 1, -1, -1):
        for value in range(256):
            table[position, value] = [_product(value, part, exponents, logs) for part in remainder]
        lead = remainder[0]
        following = [*remainder[1:], 0]
        scaled = [_product(lead, part, exponents, logs) for part in generator[1:]]
        remainder = [left ^ right for left, right in zip(following, scaled, strict=True)]
    return table


@cache
def _field() -> tuple[list[int], list[int]]:
    """Powers and logarithms of GF(256) over x^8+x^4+x^3+x^2+1, the field of QR symbols."""
    exponents, logs, value = [0] * 510, [0] * 256, 1
    for power in range(255):
        exponents[power] = exponents[power + 255] = value
        logs[value] = power
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    return exponents, logs


def _product(left: int, right: int, exponents: list[int], logs: list[int]) -> int:
    return exponents[logs[left] + logs[right]] if left and right else 0


def _place(version: int, bits: Bits) -> Bits:
    base, rows, columns, mask = _template(version)
    matrix = base.copy()
    # Remainder bits (none or a few, by version) stay zero before masking.
    padded = np.zeros(len(rows), np.uint8)
    padded[: len(bits)] = bits
    matrix[rows, columns] = padded ^ mask
    return matrix


@cache
def _template(version: int) -> tuple[Bits, NDArray[np.intp], NDArray[np.intp], Bits]:
    """Function patterns by segno, and the rows, columns and mask bits of the data modules in reading order."""
    drawn = segno.make("A", version=version, error="m", mask=_MASK, mode="alphanumeric", boost_error=False)
    base = np.array([list(row) for row in drawn.matrix], np.uint8)
    reserved = _reserved(version)
    size = len(base)
    places = [(row, column) for row, column in _zigzag(size) if not reserved[row, column]]
    rows, columns = (np.array(axis, np.intp) for axis in zip(*places, strict=True))
    return base, rows, columns, (columns % 3 == 0).astype(np.uint8)


def _reserved(version: int) -> NDArray[np.bool_]:
    """Modules of finder, timing, alignment, format and version patterns."""
    size = 17 + 4 * version
    taken = np.zeros((size, size), np.bool_)
    taken[:9, :9] = taken[:9, -8:] = taken[-8:, :9] = True
    taken[6, :] = taken[:, 6] = True
    taken[:6, -11:-8] = taken[-11:-8, :6] = True
    centres = _ALIGNMENT[version]
    for row in centres:
        for column in centres:
            if (row, column) not in ((6, 6), (6, centres[-1]), (centres[-1], 6)):
                taken[row - 2 : row + 3, column - 2 : column + 3] = True
    return taken


def _zigzag(size: int) -> list[tuple[int, int]]:
    """Modules in the order in which codewords fill the symbol: column pairs from the right, up and down in turn."""
    order, upwards = [], True
    pairs = [*range(size - 1, 6, -2), 5, 3, 1]
    for right in pairs:
        for row in range(size - 1, -1, -1) if upwards else range(size):
            order += [(row, right), (row, right - 1)]
        upwards = not upwards
    return order
