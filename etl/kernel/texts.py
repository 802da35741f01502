"""Texts at addresses: compared, copied, interned, and read as small numbers."""

from typing import Any

from numba import njit

from etl.kernel.intrinsics import load8, load16, load32, load64, store32, store64
from etl.kernel.layout import ARENA, COUNT, ENTRIES, MASK

# without what would let Python call each function, which takes a tenth of the time to compile
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
compiled = njit(**OPTIONS)
inlined = njit(**OPTIONS, forceinline=True)  # a call costs more than what these do


@compiled
def two_digits(at):
    """Return the number that two digits are, negative if they are none."""
    tens, ones = load8(at) - 48, load8(at + 1) - 48
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return -10_000
    return tens * 10 + ones


@inlined
def hex_digit(byte):
    """Return the number that a hexadecimal digit is, -1 if it is none."""
    if 48 <= byte <= 57:
        return byte - 48
    byte |= 32
    return byte - 87 if 97 <= byte <= 102 else -1


@inlined
def encoded(at, end):
    """Return the byte that a percent sign stands for, encoded once or several times; -1 if for none."""
    at += 1
    while at + 1 < end and load16(at) == 0x3532:  # 25: another percent sign
        at += 2
    if at + 1 >= end:
        return -1
    high, low = hex_digit(load8(at)), hex_digit(load8(at + 1))
    return -1 if high < 0 or low < 0 else 16 * high + low


@inlined
def encoded_end(at, end):
    """Return where what `encoded` reads ends."""
    at += 1
    while at + 1 < end and load16(at) == 0x3532:
        at += 2
    return at + 2


@compiled
def copy(at, size, out):
    """Copy bytes, and up to seven more."""
    for p in range(0, size, 8):
        store64(out + p, load64(at + p))


@inlined
def same_text(one, other, size):
    """Tell whether so many bytes at two addresses are the same."""
    while size >= 8:
        if load64(one) != load64(other):
            return False
        one += 8
        other += 8
        size -= 8
    return size == 0 or ((load64(one) ^ load64(other)) & ((1 << (8 * size)) - 1)) == 0


@inlined
def hash_of(at, size):
    """Return a number that a text has in common with few others."""
    value = size * -7_046_029_254_386_353_131
    while size >= 8:
        value = (value ^ load64(at)) * -7_046_029_254_386_353_131
        value ^= value >> 32
        at += 8
        size -= 8
    if size:
        value = (value ^ (load64(at) & ((1 << (8 * size)) - 1))) * -7_046_029_254_386_353_131
        value ^= value >> 32
    return value ^ (value >> 29)


@inlined
def slot_of(table, value, at, size):
    """Return the address of the slot that a text has in a table of texts, or would have."""
    slots, mask, entries = load64(table), load64(table + 8 * MASK), load64(table + 8 * ENTRIES)
    slot = value & mask
    while True:
        place = slots + 8 * slot
        entry = load32(place)
        if entry == 0:
            return place
        if load32(place + 4) == (value >> 32) & 0xFFFFFFFF:
            text = entries + 16 * (entry - 1)
            if load64(text + 8) == size and same_text(load64(text), at, size):
                return place
        slot = (slot + 1) & mask


@inlined
def add_text(table, slot, value, at, size):
    """Put a text, which lies where the table's next one belongs, into its free slot, and return its number."""
    entry = load64(table + 8 * COUNT)
    store64(table + 8 * COUNT, entry + 1)
    store32(slot, entry + 1)
    store32(slot + 4, value >> 32)
    text = load64(table + 8 * ENTRIES) + 16 * entry
    store64(text, at)
    store64(text + 8, size)
    store64(table + 8 * ARENA, at + size)
    return entry


@inlined
def intern(table, at, size):
    """Return the number of a text in a table of texts, adding a copy of it if it is new."""
    value = hash_of(at, size)
    slot = slot_of(table, value, at, size)
    entry = load32(slot) - 1
    if entry >= 0:
        return entry
    out = load64(table + 8 * ARENA)
    copy(at, size, out)
    return add_text(table, slot, value, out, size)


@compiled
def intern_all(table, count, offsets, texts, numbers):
    """Write the numbers of as many texts as `count`, which lie one after the other; see `intern`."""
    for n in range(count):
        begin = load32(offsets + 4 * n)
        store32(numbers + 4 * n, intern(table, texts + begin, load32(offsets + 4 * n + 4) - begin))


@compiled
def gather(entries, count, offsets, texts):
    """Copy the texts of entries to one place after another.

    Where each begins is written to `offsets`, and in the end how many bytes they are.
    """
    size = 0
    for n in range(count):
        store32(offsets + 4 * n, size)
        entry = entries + 16 * n
        length = load64(entry + 8)
        copy(load64(entry), length, texts + size)  # and more, which the next text is written over
        size += length
    store32(offsets + 4 * count, size)
