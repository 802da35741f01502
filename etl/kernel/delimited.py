"""Lines of one field after the other."""

from etl.kernel.fields import is_whole, take, take_request, take_status, take_text, take_time
from etl.kernel.intrinsics import first_set, line_feeds, load8, load16, load32, load64, quotes, store64, word_ends
from etl.kernel.layout import (
    ADDRESS,
    AGENT_TEXTS,
    AGENTS,
    BRACKETED,
    COMMON,
    END,
    EXTRA,
    FIELDS,
    HOST,
    HOST_TEXTS,
    HOSTS,
    IGNORED,
    KIND,
    LAST,
    LIST,
    LITERAL,
    LITERAL_MASK,
    PLAIN,
    PROGRAM,
    QUOTED,
    ROLE,
    ROW,
    SCALE,
    SIZES,
    STAMP,
    USER_AGENT,
    VHOST_COMBINED,
)
from etl.kernel.texts import compiled, hex_digit, inlined


@inlined
def quoted_end(p):
    """Return where a quoted text ends, at its quote; 0 if it has none on its line."""
    while True:
        mask = quotes(p)
        if mask == 0:
            p += 64
            continue
        p += first_set(mask)
        byte = load8(p)
        if byte == 34:
            return p
        if byte == 10 or load8(p + 1) == 10:
            return 0
        p += 2


@compiled
def address_end(p, end, last):
    """Return where an IPv6 address ends whose bracket was opened, with or without a port; 0 if it is none."""
    begin = p
    while hex_digit(load8(p)) >= 0 or load8(p) == 58 or load8(p) == 46:
        p += 1
    if p == begin or load8(p) != 93:
        return 0
    p += 1
    if load8(p) == 58:
        begin = p
        p += 1
        while 48 <= load8(p) <= 57:
            p += 1
        if p == begin + 1:
            return 0
    byte = load8(p)
    return p if byte == end or (last and (byte == 10 or (byte == 13 and load8(p + 1) == 10))) else 0


@inlined
def word_end(p):
    """Return where a word ends that begins here, at its space; 0 if none does."""
    begin = p
    mask = word_ends(p, 32)
    while mask == 0:
        p += 32
        mask = word_ends(p, 32)
    p += first_set(mask)
    return p if load8(p) == 32 and p > begin else 0


@inlined
def field_end(kind, p, end, last):
    """Return where a field ends: its terminator's address, or 0 if that isn't proven."""
    if kind == QUOTED:
        return quoted_end(p)
    if kind == ADDRESS and load8(p) == 91:
        return address_end(p + 1, end, last)
    begin = p
    if kind == STAMP and load8(p + 26) == 93 and load8(p + 2) == 47:
        return p + 26  # it is read as a time, which looks at every byte of it
    if kind == STAMP or kind == BRACKETED:
        while True:
            mask = word_ends(p, end)
            p += first_set(mask) if mask else 32
            if mask:
                byte = load8(p)
                if byte == 93:
                    return p
                if byte == 34 or byte == 91 or byte == 10:
                    return 0
                p += 1
    while True:
        mask = word_ends(p, end)
        if mask == 0:
            p += 32
            continue
        p += first_set(mask)
        byte = load8(p)
        if byte == end or (last and (byte == 10 or (byte == 13 and load8(p + 1) == 10))):
            break
        if kind != PLAIN or byte == 10 or byte == 13:
            return 0
        p += 1
    if p == begin:
        return 0
    if kind == LIST and (load8(p - 1) == 44 or (load8(p) == 32 and load8(p + 1) == 58)):
        return 0
    return p


@inlined
def line_end(at):
    """Return the address of the next line feed."""
    mask = line_feeds(at)
    while mask == 0:
        at += 64
        mask = line_feeds(at)
    return at + first_set(mask)


@inlined
def delimited_line(frame, line, at):
    """Take a line of one field after the other; return where it ends, or 0 if it isn't proven what it is."""
    p = at
    row = load64(frame + 8 * PROGRAM)
    for _ in range(load64(frame + 8 * FIELDS)):
        size = load64(row)
        if size:
            if (load64(p) & load64(row + 8 * LITERAL_MASK)) != load64(row + 8 * LITERAL):
                return 0
            p += size
        begin = p
        p = field_end(load64(row + 8 * KIND), p, load64(row + 8 * END), load64(row + 8 * LAST))
        if p == 0:
            return 0
        role = load64(row + 8 * ROLE)
        if role != IGNORED and not take(frame, line, role, load64(row + 8 * SCALE), begin, p):
            return 0
        row += 8 * ROW
    size = load64(row)
    if size:
        if (load64(p) & load64(row + 8 * LITERAL_MASK)) != load64(row + 8 * LITERAL):
            return 0
        p += size
    if load64(frame + 8 * EXTRA) and load8(p) == 32:
        begin = p
        p = line_end(p)
        for q in range(begin, p - 1):
            if load8(q) == 13:
                return 0
    elif load8(p) == 13:
        p += 1
    return p if is_whole(frame, line) else 0


@inlined
def apache_line(frame, line, p, shortcut):
    """Take a line of Apache's formats as `delimited_line` does, if it is as nearly all are; else return 0."""
    role = load64(frame + 8 * PROGRAM) + 8 * ROLE
    if shortcut == VHOST_COMBINED:
        begin = p
        p = word_end(p)
        if p == 0:
            return 0
        if load64(role) == HOST and not take_text(frame + 8 * HOST_TEXTS, line + HOSTS, begin, p):
            return 0
        role += 8 * ROW
        p += 1
    p = word_end(p)  # the client
    if p == 0:
        return 0
    if load32(p) == 0x2D202D20:  # ' - -'
        p += 4
    else:
        p = word_end(p + 1)
        if p == 0:
            return 0
        p = word_end(p + 1)
        if p == 0:
            return 0
    if load16(p) != 0x5B20 or (load32(p + 28) & 0xFFFFFF) != 0x22205D:  # ' [' and '] "'
        return 0
    if not take_time(frame, line, p + 2, p + 28):
        return 0
    begin = p + 31
    p = quoted_end(begin)
    if p == 0 or not take_request(frame, line, begin, p):
        return 0
    if (load64(p) & 0xFF000000FFFF) != 0x200000002022 or not take_status(frame, line, p + 2, p + 5):  # '" ', ' '
        return 0
    p += 6
    begin = p
    value = 0
    digit = load8(p) - 48
    while 0 <= digit <= 9:
        value = value * 10 + digit
        p += 1
        digit = load8(p) - 48
    if p == begin:
        if load8(p) != 45:
            return 0
        p += 1
    if p - begin > 18:
        return 0
    store64(line + SIZES, value)
    if shortcut != COMMON:
        if load16(p) != 0x2220:  # ' "'
            return 0
        p = quoted_end(p + 2)
        if p == 0 or (load32(p) & 0xFFFFFF) != 0x222022:  # '" "'
            return 0
        begin = p + 3
        p = quoted_end(begin)
        if p == 0:
            return 0
        if load64(role + 8 * 8 * ROW) == USER_AGENT and not take_text(
            frame + 8 * AGENT_TEXTS, line + AGENTS, begin, p
        ):
            return 0
        p += 1
    return p + 1 if load8(p) == 13 else p
