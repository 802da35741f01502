"""Envelopes taken off lines: prefixes of known shapes, and JSON objects that have the line under a key."""

from etl.kernel.intrinsics import first_set, line_feeds, load8, load16, load32, load64, store8, store64
from etl.kernel.keyed import after_blanks, json_nested_end, json_scalar_end, json_text_end, unescaped
from etl.kernel.layout import (
    CRI_PREFIX,
    MAX_LINE_BYTES,
    OBJECT,
    SYSLOG_PREFIX,
    WRAPPED_ENDED,
    WRAPPED_IN,
    WRAPPED_KEY,
    WRAPPED_KEY_BYTES,
)
from etl.kernel.texts import compiled, copy, same_text, two_digits

# Three letters as a 32-bit number, its highest byte masked
MONTHS = (
    *(0x6E614A, 0x626546, 0x72614D, 0x727041, 0x79614D, 0x6E754A),
    *(0x6C754A, 0x677541, 0x706553, 0x74634F, 0x766F4E, 0x636544),
)
STDOUT, STDERR = 0x74756F6474732020 >> 16, 0x7272656474732020 >> 16


@compiled
def feed_after(at):
    """Return where the next line feed is."""
    mask = line_feeds(at)
    while mask == 0:
        at += 64
        mask = line_feeds(at)
    return at + first_set(mask)


@compiled
def are_digits(at, count):
    """Tell whether so many bytes are digits."""
    for p in range(at, at + count):
        if load8(p) < 48 or load8(p) > 57:
            return False
    return True


@compiled
def clock_end(at):
    """Return where a time of day ends that begins here, 0 if it is none."""
    if load8(at + 2) != 58 or load8(at + 5) != 58:
        return 0
    if two_digits(at) < 0 or two_digits(at + 3) < 0 or two_digits(at + 6) < 0:
        return 0
    return at + 8


@compiled
def iso_end(at):
    """Return where an ISO timestamp of one word ends, 0 if it isn't proven to be one."""
    if load8(at + 4) != 45 or load8(at + 7) != 45 or load8(at + 10) != 84 or not are_digits(at, 4):
        return 0
    if two_digits(at + 5) < 0 or two_digits(at + 8) < 0:
        return 0
    p = clock_end(at + 11)
    if p == 0:
        return 0
    if load8(p) == 46 or load8(p) == 44:
        p += 1
        begin = p
        while 48 <= load8(p) <= 57:
            p += 1
        if p == begin or p - begin > 9:
            return 0
    byte = load8(p)
    if byte == 90 or byte == 122:
        return p + 1
    if byte != 43 and byte != 45:
        return p
    if two_digits(p + 1) < 0:
        return 0
    p += 3
    if load8(p) == 58:
        return p + 3 if two_digits(p + 1) >= 0 else 0
    return p + 2 if two_digits(p) >= 0 else p


@compiled
def cri_end(at):
    """Return where CRI's prefix of a whole line ends, 0 if it isn't proven to be one."""
    p = iso_end(at)
    if p == 0 or load8(p) != 32:
        return 0
    stream = load64(p + 1) & 0xFFFFFFFFFFFF
    if (stream != STDOUT and stream != STDERR) or load8(p + 7) != 32 or load16(p + 8) != 0x2046:
        return 0
    return p + 10


@compiled
def bsd_end(at):
    """Return where a time without a year ends, 0 if it isn't proven to be one."""
    letters, is_month = load32(at) & 0xFFFFFF, False
    for month in MONTHS:
        is_month |= letters == month
    if not is_month or load8(at + 3) != 32 or load8(at + 6) != 32:
        return 0
    tens, ones = load8(at + 4), load8(at + 5)
    if not (tens == 32 and 49 <= ones <= 57) and not (48 <= tens <= 51 and 48 <= ones <= 57):
        return 0
    p = at + 7
    if load8(p) > 50 or load8(p + 3) > 53 or load8(p + 6) > 53:
        return 0
    return clock_end(p)


@compiled
def syslog_end(at):
    """Return where a prefix of host and tag ends, 0 if it isn't proven to be one."""
    p = at
    if load8(p) == 60:
        p += 1
        while 48 <= load8(p) <= 57:
            p += 1
        if p == at + 1 or p > at + 4 or load8(p) != 62:
            return 0
        p += 1
    end = bsd_end(p)
    if end == 0:
        end = iso_end(p)
    if end == 0 or load8(end) != 32:
        return 0
    p = end + 1
    if load8(p) == 49 or load8(p) == 50:  # what may be the year
        return 0
    while 33 <= load8(p) <= 126:
        p += 1
    if p == end + 1 or load8(p) != 32:
        return 0
    p += 1
    begin = p
    while 33 <= load8(p) <= 126 and load8(p) != 58 and load8(p) != 91 and load8(p) != 93:
        p += 1
    if p == begin:
        return 0
    if load8(p) == 91:
        p += 1
        while 33 <= load8(p) <= 126 and load8(p) != 93:
            p += 1
        if load8(p) != 93:
            return 0
        p += 1
    return p + 2 if load16(p) == 0x203A else 0


@compiled
def object_text(given, at, end, out):
    """Write the line that an object has under a key, with its end; return where that is, 0 if it isn't proven.

    Args:
        given: The key, and whether its text has to have a line end of its own.
        at: Where the line with the object begins.
        end: Where it ends: at its line feed.
        out: Where to write.
    """
    key, size = load64(given + 8 * WRAPPED_KEY), load64(given + 8 * WRAPPED_KEY_BYTES)
    p = after_blanks(at)
    if load8(p) != 123:
        return 0
    begin = stop = 0
    byte = 44
    while byte == 44:
        p = after_blanks(p + 1)
        if load8(p) != 34:
            return 0
        key_at = p + 1
        p = json_text_end(key_at)
        if p <= 0:  # an escape in a key
            return 0
        is_wanted = p - key_at == size and same_text(key, key_at, size)
        p = after_blanks(p + 1)
        if load8(p) != 58:
            return 0
        p = after_blanks(p + 1)
        byte = load8(p)
        if is_wanted:
            if byte != 34:
                return 0
            begin = p + 1
            stop = json_text_end(begin)  # of several of one key, the last counts
            if stop == 0:
                return 0
            p = abs(stop) + 1
        else:
            p = json_nested_end(p) if byte == 123 or byte == 91 else json_scalar_end(p)
            if p == 0:
                return 0
        p = after_blanks(p)
        byte = load8(p)
    if byte != 125 or begin == 0:
        return 0
    p = after_blanks(p + 1)
    if p != end and (load8(p) != 13 or p + 1 != end):
        return 0
    first = out
    if stop < 0:
        out = unescaped(begin, -stop, out)
    else:
        copy(begin, stop - begin, out)
        out += stop - begin
    store8(out, 10)
    feed = feed_after(first)
    if feed == out:  # has none of its own
        return 0 if load64(given + 8 * WRAPPED_ENDED) else out + 1
    return out if feed + 1 == out else 0


@compiled
def unwrap(given, at, stop, out, ends):
    """Write lines without their envelope one after the other, each with its line feed.

    Args:
        given: What they are wrapped in; see layout.WRAPPED_IN.
        at: Where they begin.
        stop: Where they end: behind a line feed.
        out: Where to write.
        ends: Of each line, where in what is written it ends; one of which it isn't proven what it is is left out,
            and its number is negative.
    """
    kind, begin, last = load64(given + 8 * WRAPPED_IN), out, 0
    while at < stop:
        end = feed_after(at)
        p = found = 0
        if end - at < MAX_LINE_BYTES:
            if kind == OBJECT:
                found = object_text(given, at, end, out)
            elif kind == CRI_PREFIX:
                p = cri_end(at)
            elif kind == SYSLOG_PREFIX:
                p = syslog_end(at)
            else:
                p = iso_end(at)
                p = p + 1 if p and load8(p) == 32 else 0
        if p:
            copy(p, end + 1 - p, out)
            found = out + end + 1 - p
        if found:
            out = found
            last = out - begin
            store64(ends, last)
        else:
            store64(ends, -1 - last)
        ends += 8
        at = end + 1
    return last
