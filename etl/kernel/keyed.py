"""Lines of names and values: JSON objects, logfmt and LTSV."""

from etl.kernel.delimited import quoted_end
from etl.kernel.fields import is_whole, note_retried, take, take_duration
from etl.kernel.intrinsics import (
    bare_ends,
    first_set,
    key_ends,
    load8,
    load16,
    load32,
    load64,
    no_digits,
    store8,
    store64,
    tabs,
    text_stops,
)
from etl.kernel.layout import (
    BAD_SHAPE,
    BESIDE,
    CLOCK,
    DATE,
    DURATION,
    ELEMENTS,
    EXPECTED,
    EXPECTED_BYTES,
    EXPECTED_IN,
    EXPECTED_KEY,
    EXPECTED_ROW,
    EXPECTED_ROWS,
    FIELDS,
    FINDABLE,
    FIRST_DURATION,
    FLAWED_TIME,
    FOUND,
    HOST,
    JSON,
    KEY_DASHES,
    KEY_ROLE,
    KEY_ROW,
    KEY_SCALE,
    KEYS,
    LINE_ROW,
    LOGFMT,
    LONGEST_EXPECTED,
    LONGEST_KEPT,
    LONGEST_NAME,
    MANTISSA,
    MAX_LINE_BYTES,
    METHOD,
    MOST_CORRECTED,
    NAME_BYTES,
    NAME_IN,
    NAME_INDEX,
    NAME_ROW,
    NAME_SIZES,
    NAMES,
    NO_TIME,
    NULL,
    NUMBER,
    PREFIX,
    REQUEST,
    RING,
    SCRATCH,
    SLOT_BYTES,
    TARGET,
    TEXT,
    TIME,
    TIMES,
    UNDECIDED,
    UNESCAPED,
    UNESCAPED_AT,
    UNESCAPED_END,
    UNKNOWN,
    UPSTREAM_STATUS,
    UPSTREAMS,
    USER_AGENT,
    VALUE_AT,
    VALUE_END,
    VALUE_KIND,
    VALUE_ROW,
)
from etl.kernel.masks import clf_end
from etl.kernel.texts import compiled, copy, hex_digit, inlined, same_text
from etl.kernel.times import AS_ISO, clf_time, clock_time, iso_day, json_time, month_number

FEW_DIGITS, MANY_DIGITS = 19, 100  # of which a whole number is the text that it was, and of which it is finite
ESCAPED_BYTE, ESCAPED_CODE = 0x785C, 0x755C  # a backslash and x, u
LONGEST_BARE = 201  # bytes of a value without quotes that is no JSON


@compiled
def name_index(frame, position, inside, at, size):
    """Return what the name at a position of the line is, -1 if nothing that is wanted; and expect it from now on.

    Args:
        frame: What the kernel keeps.
        position: How many names the line has before it.
        inside: The object that has it.
        at: Where it is.
        size: How many bytes it has.
    """
    expected = load64(frame + 8 * EXPECTED) + 8 * EXPECTED_ROW * position
    is_short = position < EXPECTED_ROWS and size <= LONGEST_EXPECTED
    if is_short and load64(expected + 8 * EXPECTED_BYTES) == size and same_text(expected, at, size):
        if load64(expected + 8 * EXPECTED_IN) == inside:
            return load64(expected + 8 * EXPECTED_KEY)
    index, sizes = -1, load64(frame + 8 * NAME_SIZES) + 8 * min(size, LONGEST_NAME + 1)
    first = load64(frame + 8 * NAMES)
    for row in range(first + 8 * NAME_ROW * load64(sizes), first + 8 * NAME_ROW * load64(sizes + 8), 8 * NAME_ROW):
        if load64(row + 8 * NAME_IN) == inside and load64(row + 8 * NAME_BYTES) == size:
            if same_text(load64(row), at, size):
                index = load64(row + 8 * NAME_INDEX)
                break
    if is_short:
        copy(at, size, expected)
        store64(expected + 8 * EXPECTED_BYTES, size)
        store64(expected + 8 * EXPECTED_KEY, index)
        store64(expected + 8 * EXPECTED_IN, inside)
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


@inlined
def is_none(key, at, end):
    """Tell whether a text is a dash that stands for no value."""
    return load64(key + 8 * KEY_DASHES) != 0 and end - at == 1 and load8(at) == 45


@compiled
def take_values(frame, line):
    """Take the values that were found; False if it isn't proven what they mean. A whole request comes first."""
    keys, found, count = load64(frame + 8 * KEYS), load64(frame + 8 * FOUND), load64(frame + 8 * FIELDS)
    first_duration = load64(frame + 8 * FIRST_DURATION)
    taken = 0  # a bit for each role
    for n in range(count):
        key, value = keys + 8 * KEY_ROW * n, found + 8 * VALUE_ROW * n
        role, kind = load64(key + 8 * KEY_ROLE), load64(value + 8 * VALUE_KIND)
        at, end = load64(value), load64(value + 8 * VALUE_END)
        if at == 0 or kind == NULL or is_none(key, at, end):
            if role == DURATION and not first_duration:
                store64(line + MANTISSA, UNKNOWN)
            elif role == UPSTREAM_STATUS or role == UPSTREAMS:
                note_retried(line, 0)
            continue
        if role == BESIDE:
            return False
        if (role == METHOD or role == TARGET) and taken & (1 << REQUEST):
            continue
        is_other = taken & (1 << role)  # of several, the first counts
        taken |= 1 << role
        if is_other and role != UPSTREAMS and (first_duration or role != DURATION):
            continue
        if kind == NUMBER and role == TIME:
            time = json_time(frame, at, end)
            if time == NO_TIME:
                return False
            store64(line + TIMES, time)
        elif role == DURATION:
            if not take_duration(frame, line, at, end, load64(key + 8 * KEY_SCALE), kind == NUMBER):
                return False
        elif not take(frame, line, role, 0, at, end):
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
def wanted_text_end(frame, index, at):
    """Note a string that begins here, and return what follows it; 0 if it isn't proven what it is."""
    end = json_text_end(at + 1)
    if end > 0:
        note_value(frame, index, TEXT, at + 1, end)
        return end + 1
    out = load64(frame + 8 * UNESCAPED_AT)
    if end == 0 or out - end - at > load64(frame + 8 * UNESCAPED_END):
        return 0
    stop = unescaped(at + 1, -end, out)
    note_value(frame, index, TEXT, out, stop)
    store64(frame + 8 * UNESCAPED_AT, stop + 1)
    return 1 - end


@compiled
def are_wanted(frame, index, at, end):
    """Note a value that is no string; False if it isn't proven what it is to who wants it."""
    kind = kind_wanted(frame, index, load8(at))
    if kind < 0 or (kind == NUMBER and json_number_end(at, FEW_DIGITS) != end):
        return False
    note_value(frame, index, kind, at, end)
    return True


@compiled
def first_element(frame, index, at):
    """Note the first element of an array that is in place of an object; False if it isn't proven what it is."""
    wanted = load64(load64(frame + 8 * ELEMENTS) + 8 * (index - load64(frame + 8 * FIELDS)))
    at = after_blanks(at + 1)
    byte = load8(at)
    if wanted < 0 or byte == 93:
        return True
    if is_noted(frame, wanted):
        return False
    if byte == 34:
        return wanted_text_end(frame, wanted, at) != 0
    end = json_nested_end(at) if byte == 123 or byte == 91 else json_scalar_end(at)
    return end != 0 and are_wanted(frame, wanted, at, end)


@compiled
def is_followed(at):
    """Tell whether a value's end is followed by another key or by the end of the object."""
    at = after_blanks(at)
    if load8(at) == 44:
        return load8(after_blanks(at + 1)) == 34
    return load8(at) == 125


@compiled
def bare_end(at):
    """Return where a value ends that is no JSON, as nginx writes those without quotes; 0 if that isn't proven."""
    if is_followed(at):
        return at
    is_number, p = True, at
    while p - at < LONGEST_BARE:
        byte = load8(p)
        if byte < 32 or byte > 125 or byte == 34 or byte == 92 or byte == 91 or byte == 93 or byte == 123:
            return 0
        if byte == 125 or (p == at and byte == 32):
            return 0
        # a digit, plus, dash, point, e
        is_number &= 48 <= byte <= 57 or byte == 43 or byte == 45 or byte == 46 or byte | 32 == 101
        p += 1
        if is_followed(p):  # what looks like a number may be one that json_number_end doesn't know
            return 0 if is_number and (byte != 45 or p > at + 1) else p
    return 0


@compiled
def json_object(frame, line, at):
    """Find the wanted values of an object; return what follows it, or 0 if it isn't proven what it has."""
    p, position = after_blanks(at), 0
    if load8(p) != 123:
        return 0
    p += 1
    fields = load64(frame + 8 * FIELDS)
    out = load64(frame + 8 * SCRATCH) + UNESCAPED + (line - load64(frame + 8 * RING)) // LINE_ROW * SLOT_BYTES
    store64(frame + 8 * UNESCAPED_AT, out)
    store64(frame + 8 * UNESCAPED_END, out + LONGEST_KEPT)
    inside, is_bare = 0, False  # of the objects around the next key, a byte each; the line's own is 0
    while True:
        p = after_blanks(p)
        if load8(p) != 34:
            return 0
        expected = load64(frame + 8 * EXPECTED) + 8 * EXPECTED_ROW * position
        size = load64(expected + 8 * EXPECTED_BYTES) if position < EXPECTED_ROWS else -1
        if (
            size >= 0
            and load8(p + 1 + size) == 34
            and same_text(expected, p + 1, size)
            and load64(expected + 8 * EXPECTED_IN) == inside & 255
        ):
            index = load64(expected + 8 * EXPECTED_KEY)
            end = p + 1 + size
        else:
            end = json_text_end(p + 1)
            if end < 0:
                out = load64(frame + 8 * UNESCAPED_AT)
                if out - end - p > load64(frame + 8 * UNESCAPED_END):
                    return 0
                index = name_index(frame, EXPECTED_ROWS, inside & 255, out, unescaped(p + 1, -end, out) - out)
                end = -end
            elif end:
                index = name_index(frame, position, inside & 255, p + 1, end - p - 1)
            else:
                return 0
        position += 1
        p = after_blanks(end + 1)
        if load8(p) != 58:
            return 0
        p = after_blanks(p + 1)
        byte = load8(p)
        if index >= 0 and is_noted(frame, index):  # which of two counts is for others to say
            return 0
        if byte == 34:
            if 0 <= index < fields:
                p = wanted_text_end(frame, index, p)
            else:
                end = json_text_end(p + 1)
                p = 0 if end == 0 else abs(end) + 1
        elif byte == 123 and index >= fields:
            inside = inside << 8 | (index - fields)
            note_value(frame, index, NULL, p, p)
            p = after_blanks(p + 1)
            if load8(p) != 125:
                continue
        elif byte == 123 or byte == 91:
            begin = p
            p = json_nested_end(p)
            if p != 0 and 0 <= index < fields and not are_wanted(frame, index, begin, p):
                return 0
            if p != 0 and byte == 91 and index >= fields and not first_element(frame, index, begin):
                return 0
        else:
            begin = p
            p = json_scalar_end(p)
            if p == 0 or not is_followed(p):
                p = bare_end(begin)
                if p == 0:
                    return 0
                is_bare = True
                if 0 <= index < fields:
                    note_value(frame, index, TEXT, begin, p)
            elif 0 <= index < fields and not are_wanted(frame, index, begin, p):
                return 0
        if index >= fields:
            note_value(frame, index, NULL, at, at)
        if p == 0:
            return 0
        p = after_blanks(p)
        byte = load8(p)
        p += 1
        while byte == 125:
            if inside == 0:
                p = after_blanks(p)
                return 0 if is_bare and p - at > MOST_CORRECTED else p
            inside >>= 8
            p = after_blanks(p)
            byte = load8(p)
            p += 1
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
    bracketed = bracketed_end = 0  # a time that counts if none does without a bracket
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
            if prefix >= 0 and load8(begin + 3) == 95:  # perhaps a time of syslog
                return 0
            is_bracketed = load8(begin) == 91
            begin += is_bracketed
            is_time = p - begin >= 19 and load8(begin + 4) == 45 and load8(begin + 10) == 84
            if prefix >= 0 and is_time and not is_noted(frame, prefix):  # the first counts
                if not is_bracketed:
                    note_value(frame, prefix, TEXT, begin, p)
                elif not bracketed:
                    bracketed, bracketed_end = begin, p
        elif byte == 61:
            if position == EXPECTED_ROWS or p - begin > LONGEST_EXPECTED:
                return 0
            size = p - begin
            row = expected + 8 * EXPECTED_ROW * position
            is_new |= load64(row + 8 * EXPECTED_BYTES) != size or not same_text(row, begin, size)
            index = name_index(frame, position, 0, begin, size)
            position += 1
            p += 1
            begin = p
            if load8(p) == 34:
                begin = p + 1
                p = quoted_end(begin)
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
            elif load8(p) == 39:  # may hold spaces, up to another single quote
                return 0
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
            if bracketed and not is_noted(frame, prefix):
                note_value(frame, prefix, TEXT, bracketed, bracketed_end)
            return p if position and not (is_new and have_duplicates(frame, position)) else 0


@compiled
def label_end(at):
    """Return where a label of LTSV ends that begins here: at its colon; 0 if none does."""
    p = at
    while True:
        byte = load8(p)
        if byte == 58:
            return p if p > at else 0
        is_sign = byte == 95 or byte == 45 or byte == 46
        if not (is_sign or 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122):
            return 0
        p += 1


@compiled
def ltsv_pairs(frame, at):
    """Find the wanted values of labels between tabs; return where the line ends, or 0 if it isn't proven."""
    p, position, is_new = at, 0, False
    expected = load64(frame + 8 * EXPECTED)
    keys = load64(frame + 8 * KEYS)
    while position < EXPECTED_ROWS:
        size = load64(expected + 8 * EXPECTED_BYTES)
        if size >= 0 and load8(p + size) == 58 and same_text(expected, p, size):
            index = load64(expected + 8 * EXPECTED_KEY)
            p += size + 1
        else:
            begin = p
            p = label_end(p)
            if p == 0 or p - begin > LONGEST_EXPECTED:
                return 0
            index, is_new = name_index(frame, position, 0, begin, p - begin), True
            p += 1
        position += 1
        expected += 8 * EXPECTED_ROW
        begin = p
        mask = tabs(p)
        while mask == 0:
            p += 64
            mask = tabs(p)
        p += first_set(mask)
        if index >= 0:
            end = p
            if load8(begin) == 91 and load8(end - 1) == 93:
                if load64(keys + 8 * (KEY_ROW * index + KEY_ROLE)) == TIME:
                    begin, end = begin + 1, end - 1
            note_value(frame, index, TEXT, begin, end)
        byte = load8(p)
        if byte != 9:
            if byte == 13 and load8(p + 1) != 10:
                return 0
            return 0 if is_new and have_duplicates(frame, position) else p
        p += 1
    return 0


@inlined
def keyed_line(frame, line, at, shape):
    """Take a line of names with their values, likewise."""
    found = load64(frame + 8 * FOUND)
    for n in range(load64(frame + 8 * FINDABLE)):
        store64(found + 8 * VALUE_ROW * n, 0)
    if shape == JSON:
        p = json_object(frame, line, at)
    else:
        p = logfmt_pairs(frame, at) if shape == LOGFMT else ltsv_pairs(frame, at)
    if p == 0:
        if shape != JSON:  # its names are new to the next line, which they could be in twice
            store64(load64(frame + 8 * EXPECTED) + 8 * EXPECTED_BYTES, -1)
        return 0
    if load8(p) == 13:
        p += 1
    return p if take_values(frame, line) else 0


@compiled
def ends_object(at, end):
    """Tell whether a line ends as an object does, but for white space."""
    while end > at:
        byte = load8(end - 1)
        if byte != 32 and byte != 9 and byte != 10 and byte != 13:
            return byte == 125
        end -= 1
    return False


@inlined
def are_digits(at, count):
    """Tell whether there are so many digits."""
    return first_set(no_digits(at) | (1 << count)) == count


@compiled
def iso_end(at, end):
    """Return where `YYYY-MM-DDTHH:MM:SS[.f]` with an offset ends that begins here, 0 if none does."""
    if end - at < 20 or not (are_digits(at, 4) and are_digits(at + 5, 2) and are_digits(at + 8, 2)):
        return 0
    if load8(at + 4) != 45 or load8(at + 7) != 45 or (load8(at + 10) != 84 and load8(at + 10) != 32):
        return 0
    if not (are_digits(at + 11, 2) and are_digits(at + 14, 2) and are_digits(at + 17, 2)):
        return 0
    if load8(at + 13) != 58 or load8(at + 16) != 58:
        return 0
    p = at + 19
    if load8(p) == 46 or load8(p) == 44:
        p += 1
        while p < end and p - at < 29 and 48 <= load8(p) <= 57:
            p += 1
        if p == at + 20:
            return 0
    if p >= end:
        return 0
    sign = load8(p)
    if sign == 90 or sign == 122:
        return p + 1
    if (sign != 43 and sign != 45) or p + 3 > end or not are_digits(p + 1, 2):
        return 0
    p += 3
    minutes = p + 1 if p < end and load8(p) == 58 else p
    return minutes + 2 if minutes + 2 <= end and are_digits(minutes, 2) else p


@compiled
def cut_off(frame, line, at, end):
    """Return BAD_SHAPE for a line of JSON, up to its line feed, that is proven to have no end, and note its time.

    That is the first timestamp with an offset, wherever it is.
    """
    if end + 1 - at > MAX_LINE_BYTES or ends_object(at, end):
        return UNDECIDED
    time, p = NO_TIME, at
    while p < end:
        mask = ~no_digits(p) & 0xFFFFFFFF
        if mask == 0:
            p += 32
            continue
        p += first_set(mask)
        if p >= end:
            break
        if load8(p + 2) == 47 and month_number(p + 3):
            if clf_end(p, end) == 0 or load32(p + 7) == 0x39393939:  # of another kind of CLF, or of the year 9999
                return UNDECIDED
            time = clf_time(p)
            break
        stop = iso_end(p, end) if load8(p + 4) == 45 else 0
        if stop:
            time = clock_time(frame, iso_day(frame, p), p + 11, stop, AS_ISO)
            if time == NO_TIME:
                return UNDECIDED
            break
        p += 1
    store64(line + FLAWED_TIME, time)
    return BAD_SHAPE
