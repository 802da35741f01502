"""Lines of keys and values: JSON objects and logfmt."""

from etl.kernel.delimited import field_end
from etl.kernel.fields import is_whole, take
from etl.kernel.intrinsics import (
    bare_ends,
    first_set,
    key_ends,
    load8,
    load16,
    load32,
    load64,
    store8,
    store64,
    text_stops,
)
from etl.kernel.layout import (
    CLOCK,
    DATE,
    DURATION,
    EXPECTED,
    EXPECTED_BYTES,
    EXPECTED_KEY,
    EXPECTED_ROW,
    EXPECTED_ROWS,
    FIELDS,
    FOUND,
    HOST,
    KEY_BYTES,
    KEY_ROLE,
    KEY_ROW,
    KEY_SCALE,
    KEYS,
    LINE_ROW,
    LONGEST_EXPECTED,
    LONGEST_KEPT,
    MANTISSA,
    METHOD,
    NULL,
    NUMBER,
    PREFIX,
    QUOTED,
    REQUEST,
    RETRIED,
    RING,
    SCRATCH,
    SLOT_BYTES,
    TARGET,
    TEXT,
    TIME,
    UNESCAPED,
    UNKNOWN,
    UPSTREAM_STATUS,
    UPSTREAMS,
    USER_AGENT,
    VALUE_AT,
    VALUE_END,
    VALUE_KIND,
    VALUE_ROW,
)
from etl.kernel.texts import compiled, copy, hex_digit, inlined, same_text

FEW_DIGITS, MANY_DIGITS = 18, 100  # of which a number is the text that it was, and of which it is finite
ESCAPED_BYTE, ESCAPED_CODE = 0x785C, 0x755C  # a backslash and x, u


@compiled
def key_index(frame, position, at, size):
    """Return which row of KEYS the key at a position of the line is, -1 if none; and expect it from now on."""
    expected = load64(frame + 8 * EXPECTED) + 8 * EXPECTED_ROW * position
    is_short = position < EXPECTED_ROWS and size <= LONGEST_EXPECTED
    if is_short and load64(expected + 8 * EXPECTED_BYTES) == size and same_text(expected, at, size):
        return load64(expected + 8 * EXPECTED_KEY)
    index, row = -1, load64(frame + 8 * KEYS)
    for n in range(load64(frame + 8 * FIELDS)):
        if load64(row + 8 * KEY_BYTES) == size and same_text(load64(row), at, size):
            index = n
            break
        row += 8 * KEY_ROW
    if is_short:
        copy(at, size, expected)
        store64(expected + 8 * EXPECTED_BYTES, size)
        store64(expected + 8 * EXPECTED_KEY, index)
    return index


@compiled
def note_value(frame, index, kind, at, end):
    """Note where a wanted value is."""
    slot = load64(frame + 8 * FOUND) + 8 * VALUE_ROW * index
    store64(slot + 8 * VALUE_AT, at)
    store64(slot + 8 * VALUE_END, end)
    store64(slot + 8 * VALUE_KIND, kind)


@compiled
def is_noted(frame, index):
    """Tell whether there was a value already."""
    return load64(load64(frame + 8 * FOUND) + 8 * VALUE_ROW * index) != 0


@compiled
def take_values(frame, line):
    """Take the values that were found; False if it isn't proven what they mean."""
    keys, found, count = load64(frame + 8 * KEYS), load64(frame + 8 * FOUND), load64(frame + 8 * FIELDS)
    has_request = False
    for n in range(count):
        value = found + 8 * VALUE_ROW * n
        if load64(keys + 8 * (KEY_ROW * n + KEY_ROLE)) == REQUEST:
            has_request |= load64(value) != 0 and load64(value + 8 * VALUE_KIND) != NULL
    taken = 0
    for n in range(count):
        key, value = keys + 8 * KEY_ROW * n, found + 8 * VALUE_ROW * n
        role, kind = load64(key + 8 * KEY_ROLE), load64(value + 8 * VALUE_KIND)
        at, end = load64(value), load64(value + 8 * VALUE_END)
        if at == 0 or kind == NULL:
            if role == DURATION:
                store64(line + MANTISSA, UNKNOWN)
            if role == UPSTREAM_STATUS or role == UPSTREAMS:
                store8(line + RETRIED, 0)
            continue
        if (role == METHOD or role == TARGET) and has_request:
            continue
        if role != DURATION and role != UPSTREAMS:
            if taken & (1 << role):  # of several, the first counts
                continue
            taken |= 1 << role
        if kind == NUMBER and role == TIME and load8(at + 10) == 46 and end - at > 14:
            return False  # more digits than a number surely keeps
        if not take(frame, line, role, load64(key + 8 * KEY_SCALE), at, end):
            return False
    return is_whole(frame, line)


@compiled
def after_blanks(at):
    """Return the address of the first byte that is neither space nor tab, which JSON skips."""
    while load8(at) == 32 or load8(at) == 9:
        at += 1
    return at


@compiled
def hex_number(at, digits):
    """Return the number that hexadecimal digits are, negative if they are none."""
    value = 0
    for p in range(at, at + digits):
        digit = hex_digit(load8(p))
        if digit < 0:
            return -1
        value = 16 * value + digit
    return value


@compiled
def later_byte(at, size, lowest, highest):
    r"""Tell whether a byte of UTF-8 after the first, written as it is (size 1) or as `\xHH` (4), is in a range."""
    byte = load8(at)
    if size == 4:
        byte = hex_number(at + 2, 2) if load16(at) == ESCAPED_BYTE else -1
    return lowest <= byte <= highest


@compiled
def character_end(at, first, size):
    r"""Return what follows a character of UTF-8 from its first byte on, each of `size` bytes; 0 if it is none."""
    lowest, highest, more = 0x80, 0xBF, 1
    if first < 0xC2 or first > 0xF4:
        return 0
    if first >= 0xF0:
        more = 3
        lowest = 0x90 if first == 0xF0 else lowest
        highest = 0x8F if first == 0xF4 else highest
    elif first >= 0xE0:
        more = 2
        lowest = 0xA0 if first == 0xE0 else lowest
        highest = 0x9F if first == 0xED else highest
    for _ in range(more):
        at += size
        if not later_byte(at, size, lowest, highest):
            return 0
        lowest, highest = 0x80, 0xBF
    return at + size


@compiled
def escape_end(at):
    r"""Return what follows an escape, `\xHH` too, with the rest of its character; 0 if that is none."""
    byte = load8(at + 1)
    if byte == 117:  # u
        code = hex_number(at + 2, 4)
        if code & 0xF800 != 0xD800:
            return at + 6 if code >= 0 else 0
        is_pair = code < 0xDC00 and load16(at + 6) == ESCAPED_CODE and hex_number(at + 8, 4) & ~0x3FF == 0xDC00
        return at + 12 if is_pair else 0
    if byte == 120:  # x
        byte = hex_number(at + 2, 2)
        return at + 4 if 0 <= byte < 0x80 else character_end(at, byte, 4)
    return at + 2 if simple_escape(byte) else 0


@compiled
def simple_escape(byte):
    """Return what a letter after a backslash stands for, 0 if for nothing."""
    if byte == 34 or byte == 92 or byte == 47:
        return byte
    if byte == 110:
        return 10
    if byte == 116:
        return 9
    if byte == 114:
        return 13
    if byte == 98:
        return 8
    return 12 if byte == 102 else 0


@compiled
def json_text_end(at):
    """Return where a string ends that begins here: at its quote; negative with escapes, 0 if it isn't proven."""
    sign = 1
    while True:
        mask = text_stops(at)
        if mask == 0:
            at += 64
            continue
        at += first_set(mask)
        byte = load8(at)
        if byte == 34:
            return sign * at
        if byte == 92:
            sign = -1
            at = escape_end(at)
        else:
            at = character_end(at, byte, 1)
        if at == 0:
            return 0


@compiled
def unescaped(at, end, out):
    """Write what a string with escapes stands for, and a quote; return where that is. It has no more bytes."""
    while at < end:
        mask = text_stops(at)
        size = min(first_set(mask) if mask else 64, end - at)
        if size:
            copy(at, size, out)
            at += size
            out += size
            continue
        byte = load8(at)
        if byte != 92:
            store8(out, byte)
            at += 1
            out += 1
            continue
        byte = load8(at + 1)
        if byte == 120:
            store8(out, hex_number(at + 2, 2))
            at += 4
            out += 1
        elif byte == 117:
            code = hex_number(at + 2, 4)
            at += 6
            if code & 0xF800 == 0xD800:
                code = 0x10000 + ((code & 0x3FF) << 10) + (hex_number(at + 2, 4) & 0x3FF)
                at += 6
            out += utf8(code, out)
        else:
            store8(out, simple_escape(byte))
            at += 2
            out += 1
    store8(out, 34)
    return out


@compiled
def utf8(code, out):
    """Write a character by its code, and return how many bytes it has."""
    if code < 0x80:
        store8(out, code)
        return 1
    if code < 0x800:
        store8(out, 0xC0 | code >> 6)
        store8(out + 1, 0x80 | code & 0x3F)
        return 2
    if code < 0x10000:
        store8(out, 0xE0 | code >> 12)
        store8(out + 1, 0x80 | code >> 6 & 0x3F)
        store8(out + 2, 0x80 | code & 0x3F)
        return 3
    store8(out, 0xF0 | code >> 18)
    store8(out + 1, 0x80 | code >> 12 & 0x3F)
    store8(out + 2, 0x80 | code >> 6 & 0x3F)
    store8(out + 3, 0x80 | code & 0x3F)
    return 4


@compiled
def json_number_end(at, digits):
    """Return where a number ends that begins here, but for its exponent; 0 if it is none, or has more digits."""
    p = at + 1 if load8(at) == 45 else at
    begin = p
    while 48 <= load8(p) <= 57:
        p += 1
    if p == begin or p - begin > digits or (load8(begin) == 48 and p - begin > 1):
        return 0
    if load8(p) == 46:
        p += 1
        begin = p
        while 48 <= load8(p) <= 57:
            p += 1
        if p == begin or p - begin > digits:
            return 0
    return p


@compiled
def json_scalar_end(at):
    """Return what follows a value that begins here and is no object or array, 0 if it isn't proven."""
    byte = load8(at)
    if byte == 34:
        end = json_text_end(at + 1)
        return 0 if end == 0 else abs(end) + 1
    word = load32(at)
    if word == 0x6C6C756E or word == 0x65757274:  # null, true
        return at + 4
    if word == 0x736C6166 and load8(at + 4) == 101:  # false
        return at + 5
    p = json_number_end(at, MANY_DIGITS)
    if p and load8(p) | 32 == 101:
        p += 2 if load8(p + 1) == 43 or load8(p + 1) == 45 else 1
        begin = p
        while 48 <= load8(p) <= 57:
            p += 1
        if p == begin or p - begin > 2:
            return 0
    return p


@compiled
def json_key_end(at):
    """Return where the value begins whose key begins here, 0 if it isn't proven."""
    if load8(at) != 34:
        return 0
    end = json_text_end(at + 1)
    if end == 0:
        return 0
    at = after_blanks(abs(end) + 1)
    return after_blanks(at + 1) if load8(at) == 58 else 0


@compiled
def json_nested_end(at):
    """Return what follows an object or array that begins here, 0 if it isn't proven that it is one."""
    objects = depth = 0  # a bit for each that is open: whether it is an object
    while True:  # a value is due
        byte = load8(at)
        is_closed = False
        if byte == 123 or byte == 91:
            if depth == 60:
                return 0
            objects = objects * 2 + (1 if byte == 123 else 0)
            depth += 1
            at = after_blanks(at + 1)
            is_closed = load8(at) == byte + 2
            if not is_closed:
                if byte == 123:
                    at = json_key_end(at)
                if at == 0:
                    return 0
                continue
        else:
            at = json_scalar_end(at)
            if at == 0:
                return 0
        while True:  # a value has ended, or what it is in
            if is_closed:
                at += 1
                objects //= 2
                depth -= 1
                if depth == 0:
                    return at
            at = after_blanks(at)
            byte = load8(at)
            if byte == 44:
                at = after_blanks(at + 1)
                if objects & 1:
                    at = json_key_end(at)
                if at == 0:
                    return 0
                break
            is_closed = byte == (125 if objects & 1 else 93)
            if not is_closed:
                return 0


@compiled
def kind_wanted(frame, index, byte):
    """Return what a value that is no string is to who wants it, by its first byte; negative if it isn't proven."""
    role = load64(load64(frame + 8 * KEYS) + 8 * (KEY_ROW * index + KEY_ROLE))
    only_text = role == REQUEST or role == METHOD or role == TARGET or role == UPSTREAMS
    if byte == 110 or only_text or role == HOST or role == USER_AGENT:  # null, or as good as that
        return NULL
    is_number = byte == 45 or 48 <= byte <= 57
    return NUMBER if is_number and role != DATE and role != CLOCK else -1


@compiled
def json_object(frame, line, at):
    """Find the wanted values of an object; return what follows it, or 0 if it isn't proven what it has."""
    p, position = after_blanks(at), 0
    if load8(p) != 123:
        return 0
    p += 1
    out = load64(frame + 8 * SCRATCH) + UNESCAPED + (line - load64(frame + 8 * RING)) // LINE_ROW * SLOT_BYTES
    room = out + LONGEST_KEPT
    while True:
        p = after_blanks(p)
        if load8(p) != 34:
            return 0
        expected = load64(frame + 8 * EXPECTED) + 8 * EXPECTED_ROW * position
        size = load64(expected + 8 * EXPECTED_BYTES) if position < EXPECTED_ROWS else -1
        if size >= 0 and load8(p + 1 + size) == 34 and same_text(expected, p + 1, size):
            index = load64(expected + 8 * EXPECTED_KEY)
            end = p + 1 + size
        else:
            end = json_text_end(p + 1)
            if end < 0:
                if out - end - p > room:
                    return 0
                index = key_index(frame, EXPECTED_ROWS, out, unescaped(p + 1, -end, out) - out)
                end = -end
            elif end:
                index = key_index(frame, position, p + 1, end - p - 1)
            else:
                return 0
        position += 1
        p = after_blanks(end + 1)
        if load8(p) != 58:
            return 0
        p = after_blanks(p + 1)
        byte = load8(p)
        if byte == 34:
            begin = p + 1
            end = json_text_end(begin)
            if end == 0:
                return 0
            p = abs(end) + 1
            if index >= 0 and end < 0:
                if out - end - begin > room:
                    return 0
                end, begin = unescaped(begin, -end, out), out
                out = end + 1
            if index >= 0:  # of several of one key, the last counts
                note_value(frame, index, TEXT, begin, end)
        else:
            begin = p
            p = json_nested_end(p) if byte == 123 or byte == 91 else json_scalar_end(p)
            if index >= 0:
                kind = kind_wanted(frame, index, byte)
                if kind < 0 or (kind == NUMBER and json_number_end(begin, FEW_DIGITS) != p):
                    return 0
                note_value(frame, index, kind, begin, p)
        if p == 0:
            return 0
        p = after_blanks(p)
        byte = load8(p)
        p += 1
        if byte == 125:
            return after_blanks(p)
        if byte != 44:
            return 0


@compiled
def have_duplicates(frame, count):
    """Tell whether two of the keys that are expected are the same; if so, expect none any more."""
    expected = load64(frame + 8 * EXPECTED)
    for n in range(count, EXPECTED_ROWS):
        store64(expected + 8 * (EXPECTED_ROW * n + EXPECTED_BYTES), -1)
    for n in range(1, count):
        one = expected + 8 * EXPECTED_ROW * n
        size = load64(one + 8 * EXPECTED_BYTES)
        for m in range(n):
            other = expected + 8 * EXPECTED_ROW * m
            if load64(other + 8 * EXPECTED_BYTES) == size and same_text(one, other, size):
                for each in range(count):
                    store64(expected + 8 * (EXPECTED_ROW * each + EXPECTED_BYTES), -1)
                return True
    return False


@compiled
def after_spaces(at):
    """Return the address of the first byte that is no space."""
    while load8(at) == 32:
        at += 1
    return at


@compiled
def logfmt_pairs(frame, at):
    """Find the wanted values of a line of pairs; return where it ends, or 0 if it isn't proven what it has."""
    p, position, is_new = at, 0, False
    prefix = load64(frame + 8 * PREFIX)
    expected = load64(frame + 8 * EXPECTED)
    while True:
        begin = p
        mask = key_ends(p)
        while mask == 0:
            p += 32
            mask = key_ends(p)
        p += first_set(mask)
        if p == begin:
            return 0
        byte = load8(p)
        if byte == 32:
            if position:
                return 0
            if prefix >= 0 and p - begin >= 19 and load8(begin + 4) == 45 and load8(begin + 10) == 84:
                if not is_noted(frame, prefix):  # the first counts
                    note_value(frame, prefix, TEXT, begin, p)
            elif prefix >= 0 and load8(begin + 3) == 95:
                return 0  # perhaps a time of BSD's syslog
        elif byte == 61:
            if position == EXPECTED_ROWS or p - begin > LONGEST_EXPECTED:
                return 0
            size = p - begin
            row = expected + 8 * EXPECTED_ROW * position
            is_new |= load64(row + 8 * EXPECTED_BYTES) != size or not same_text(row, begin, size)
            index = key_index(frame, position, begin, size)
            position += 1
            p += 1
            begin = p
            if load8(p) == 34:
                begin = p + 1
                p = field_end(QUOTED, begin, 34, False)
                if p == 0:
                    return 0
                if index >= 0:
                    if is_noted(frame, index):
                        return 0
                    for q in range(begin, p):
                        if load8(q) == 92:
                            return 0
                    note_value(frame, index, TEXT, begin, p)
                p += 1
            else:
                mask = bare_ends(p)
                while mask == 0:
                    p += 32
                    mask = bare_ends(p)
                p += first_set(mask)
                if index >= 0:
                    if is_noted(frame, index):
                        return 0
                    note_value(frame, index, NULL if p == begin else TEXT, begin, p)
            byte = load8(p)
            if byte != 32 and byte != 10 and byte != 13:
                return 0
        else:
            return 0
        p = after_spaces(p)
        byte = load8(p)
        if byte == 10 or (byte == 13 and load8(p + 1) == 10):
            return p if position and not (is_new and have_duplicates(frame, position)) else 0


@inlined
def keyed_line(frame, line, at, is_json):
    """Take a line of keys with their values, likewise."""
    found = load64(frame + 8 * FOUND)
    for n in range(load64(frame + 8 * FIELDS)):
        store64(found + 8 * VALUE_ROW * n, 0)
    p = json_object(frame, line, at) if is_json else logfmt_pairs(frame, at)
    if p == 0:
        return 0
    if load8(p) == 13:
        p += 1
    return p if take_values(frame, line) else 0
