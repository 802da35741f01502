"""The kernel as plain Python: the same source, with memory and vectors in place of its intrinsics.

So coverage shows which of its branches tests reach. It is some thousand times slower.
"""

import ctypes
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from etl.lines.places import MASK

KERNEL = "etl.kernel."
MODULES = ("texts", "times", "masks", "fields", "delimited", "keyed", "envelopes", "rejects", "lines")
WORD = (1 << 64) - 1


def _loader(kind: type) -> Callable[[int], int]:
    return lambda address: kind.from_address(address).value


def _storer(kind: type, bits: int) -> Callable[[int, int], None]:
    def store(address: int, value: int) -> None:
        kind.from_address(address).value = value & ((1 << bits) - 1)

    return store


def _finder(lanes: int, is_wanted: Callable[[int], bool]) -> Callable[[int], int]:
    wanted = bytes(map(is_wanted, range(256)))

    def find(address: int) -> int:
        found = ctypes.string_at(address, lanes).translate(wanted)
        return int.from_bytes(found, "little") and sum(1 << n for n, byte in enumerate(found) if byte)

    return find


def _one_of(lanes: int, text: str) -> Callable[[int], int]:
    return _finder(lanes, text.encode().__contains__)


def _word_ends(address: int, end: int) -> int:
    return _finder(32, lambda byte: byte <= ord(" ") or byte in b'"[]' or byte == end)(address)


def _same_bytes(one: int, other: int) -> int:
    pairs = zip(ctypes.string_at(one, 32), ctypes.string_at(other, 32), strict=True)
    return sum(1 << n for n, (a, b) in enumerate(pairs) if a == b)


def _mask_bytes(address: int, out: int) -> None:
    ctypes.memmove(out, ctypes.string_at(address, 64).translate(MASK), 64)


def _store_float(address: int, value: float) -> None:
    ctypes.c_double.from_address(address).value = value


def intrinsics() -> ModuleType:
    """Return what stands for the module of that name."""
    made = ModuleType(f"{KERNEL}intrinsics")
    for bits, unsigned in ((8, ctypes.c_uint8), (16, ctypes.c_uint16), (32, ctypes.c_uint32)):
        setattr(made, f"load{bits}", _loader(unsigned))
        setattr(made, f"store{bits}", _storer(unsigned, bits))
    made.load64 = _loader(ctypes.c_int64)
    made.store64 = _storer(ctypes.c_uint64, 64)
    made.store_float, made.mask_bytes = _store_float, _mask_bytes
    made.first_set = lambda mask: (mask & -mask).bit_length() - 1
    made.bits_set = lambda mask: (mask & WORD).bit_count()
    made.prefetch = lambda _: None
    made.word_ends, made.same_bytes = _word_ends, _same_bytes
    made.text_stops = _finder(64, lambda byte: byte < ord(" ") or byte > 127 or byte in b'"\\')
    made.unprintable = _finder(32, lambda byte: not ord("!") <= byte <= ord("~"))
    made.no_digits = _finder(32, lambda byte: not ord("0") <= byte <= ord("9"))
    for name, lanes, text in (
        ("line_feeds", 64, "\n"),
        ("slashes", 64, "/"),
        ("quotes", 64, '"\\\n'),
        ("json_stops", 64, '"{},'),
        ("cuts", 64, "?#;%"),
        ("dots_of", 32, "."),
        ("signs", 32, "%@:"),
        ("key_ends", 32, '= "\r\n'),
        ("bare_ends", 32, ' "\r\n'),
        ("tabs", 64, "\t\r\n"),
        ("authority_ends", 32, "/?#; "),
    ):
        setattr(made, name, _one_of(lanes, text))
    return made


@contextmanager
def kernel() -> Iterator[Callable[..., int]]:
    """Return the kernel in plain Python; what the process has imported stays as it was."""
    numba = ModuleType("numba")
    numba.njit = lambda **_: lambda function: function
    names = [KERNEL + name for name in MODULES]
    package = importlib.import_module("etl.kernel")
    before = {name: sys.modules.pop(name, None) for name in ("numba", f"{KERNEL}intrinsics", *names)}
    attributes = {name: getattr(package, name, None) for name in MODULES}
    try:
        sys.modules["numba"], sys.modules[f"{KERNEL}intrinsics"] = numba, intrinsics()
        texts = importlib.import_module(f"{KERNEL}texts")
        hash_of = texts.hash_of
        texts.hash_of = lambda at, size: wrapped(hash_of, at, size)
        lines = importlib.import_module(f"{KERNEL}lines")
        yield lambda task, *given: lines.run(task, *given, *[0] * (5 - len(given)))
    finally:
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module:
                sys.modules[name] = module
        for name, module in attributes.items():
            if module:
                setattr(package, name, module)
            else:
                vars(package).pop(name, None)  # which `from etl.kernel import` would find


def wrapped(hash_of: Callable[[int, int], int], at: int, size: int) -> int:
    """Return a hash of 64 bits, as machine code's is; Python's own whole numbers never overflow."""
    value = hash_of(at, size) & WORD
    return value - (1 << 64) if value >> 63 else value
