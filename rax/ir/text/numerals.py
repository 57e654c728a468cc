"""The elements of a constant as decimal text, exact in both directions.

Bytes are little-endian, as in a :class:`~rax.ir.node.Literal`. An element that no decimal
gives back bit for bit (a NaN with a payload) has no text here.
"""

from __future__ import annotations

import functools
import math
import struct

from rax.ir.types import DType, real_dtype

_CODES = {
    "bool": "B", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint8": "B", "uint16": "H",
    "uint32": "I", "uint64": "Q", "float16": "e", "bfloat16": "H", "float32": "f", "float64": "d",
}  # fmt: skip
# Significant digits: enough for most numbers, then as many as any number of the dtype needs.
_DIGITS = {
    "float8_e4m3fn": (3, 3), "float8_e5m2": (3, 3), "float16": (3, 5), "bfloat16": (3, 5), "float32": (6, 9),
    "float64": (15, 17),
}  # fmt: skip
# Bits of fraction, bias of the exponent, what the last of the bytes to 127 are, the byte of NaN.
_FLOAT8 = {
    "float8_e4m3fn": (3, 7, [math.nan], 0x7F),
    "float8_e5m2": (2, 15, [math.inf, math.nan, math.nan, math.nan], 0x7E),
}
_TRUTHS = {"False": 0, "True": 1}


def texts(dtype: DType, raw: bytes | memoryview) -> list[str] | None:
    """One text an element, or None if an element has no exact decimal.

    Example:
        >>> from rax.ir.types import float32, int8
        >>> texts(int8, bytes([1, 255])), texts(float32, bytes([0, 0, 128, 63]))
        (['1', '-1'], ['1.0'])
        >>> texts(float32, bytes([1, 0, 192, 127]))  # a NaN with a payload
    """
    size = dtype.itemsize
    found: list[str] = []
    for start in range(0, len(raw), size):
        text = _text(dtype, bytes(raw[start : start + size]))
        if text is None:
            return None
        found.append(text)
    return found


def _text(dtype: DType, raw: bytes) -> str | None:
    if dtype.kind == "complex":
        part, half = real_dtype(dtype), len(raw) // 2
        real, imaginary = _text(part, raw[:half]), _text(part, raw[half:])
        if real is None or imaginary is None:
            return None
        return f"{real}{'' if imaginary.startswith('-') else '+'}{imaginary}j"
    if dtype.kind == "float":
        return _float_text(dtype, raw)
    (number,) = struct.unpack("<" + _CODES[dtype.name], raw)
    if dtype.kind == "bool":
        return {0: "False", 1: "True"}.get(number)
    return str(number)


def _number(dtype: DType, raw: bytes) -> float:
    if dtype.is_float8:
        number = _float8_numbers(dtype.name)[raw[0] & 0x7F]
        return -number if raw[0] & 0x80 else number
    code = "f" if dtype.name == "bfloat16" else _CODES[dtype.name]
    return struct.unpack("<" + code, bytes(2) + raw if dtype.name == "bfloat16" else raw)[0]


@functools.cache
def _float8_numbers(name: str) -> list[float]:
    """The numbers of the bytes 0 to 127; the others have a sign."""
    fraction, bias, special, _ = _FLOAT8[name]
    numbers: list[float] = []
    for bits in range(128 - len(special)):
        exponent, rest = bits >> fraction, bits & (1 << fraction) - 1
        whole = rest + (1 << fraction) if exponent else rest
        numbers.append(math.ldexp(whole, max(exponent, 1) - bias - fraction))
    return [*numbers, *special]


def _pack_float8(name: str, number: float) -> bytes:
    """The byte of the nearest number, of two as near the even one; ValueError where that is none of the dtype."""
    fraction, bias, _, bits = _FLOAT8[name]
    size = abs(number)
    if not math.isnan(number):
        if math.isfinite(number):
            step = math.ldexp(1, max(math.frexp(size)[1] - 1, 1 - bias) - fraction)
            size = round(size / step) * step
        bits = _float8_numbers(name).index(size)
    return bytes([bits | (0x80 if math.copysign(1, number) < 0 else 0)])


def _float_text(dtype: DType, raw: bytes) -> str | None:
    number = _number(dtype, raw)
    fewest, most = _DIGITS[dtype.name]
    for digits in range(fewest, most + 1):
        text = f"{number:.{digits}g}"
        if pack(dtype, text) == raw:
            return text if any(sign in text for sign in ".en") else text + ".0"
    return None


def pack(dtype: DType, text: str) -> bytes:
    """The bytes of one element.

    Raises:
        ValueError: the text is no number of the dtype.
    """
    try:
        if dtype.kind == "complex":
            # The last sign that is no exponent's starts the imaginary part.
            place = max((i for i in range(1, len(text)) if text[i] in "+-" and text[i - 1] not in "eE"), default=0)
            part, imaginary = real_dtype(dtype), text[place:-1] if text.endswith("j") else ""
            return pack(part, text[:place]) + pack(part, imaginary)
        if dtype.kind == "bool":
            return bytes([_TRUTHS[text]])
        if dtype.name == "bfloat16":
            return _pack_bfloat16(_real(text))
        if dtype.is_float8:
            return _pack_float8(dtype.name, _real(text))
        number = _real(text) if dtype.kind == "float" else int(text)
        return struct.pack("<" + _CODES[dtype.name], number)
    except (KeyError, OverflowError, ValueError, struct.error) as error:
        raise ValueError(f"{text!r} is no {dtype.name}") from error


def _real(text: str) -> float:
    """The number of a decimal; not infinity for a large one."""
    number = float(text)
    if math.isinf(number) and "inf" not in text:
        raise OverflowError(text)
    return number


def _pack_bfloat16(number: float) -> bytes:
    (bits,) = struct.unpack("<I", struct.pack("<f", number))
    upper = bits + 0x7FFF + (bits >> 16 & 1) >> 16
    if upper & 0x7FFF == 0x7F80 and math.isfinite(number):
        raise OverflowError(number)
    return struct.pack("<H", upper)


def nested(elements: list[str], shape: tuple[int, ...]) -> str:
    """Element texts as nested lists: ``[[1, 2], [3, 4]]``; a scalar's as it is, no elements as ``[]``.

    Example:
        >>> nested(["1", "2", "3", "4"], (2, 2))
        '[[1, 2], [3, 4]]'
    """
    for size in reversed(shape) if elements else ():
        starts = range(0, len(elements), size)
        elements = [f"[{', '.join(elements[start : start + size])}]" for start in starts]
    return elements[0] if elements else "[]"
