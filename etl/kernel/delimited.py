"""Lines of one field after the other."""

from etl.kernel.fields import (
    is_whole,
    take,
)
from etl.kernel.intrinsics import (
    first_set,
    line_feeds,
    load8,
    load64,
    quotes,
    word_ends,
)
from etl.kernel.layout import (
    BRACKETED,
    END,
    EXTRA,
    FIELDS,
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
    STAMP,
)
from etl.kernel.texts import inlined


@inlined
def field_end(kind, p, end, last):
    """Return where a field ends: its terminator's address, or 0 if that isn't proven."""
    if kind == QUOTED:
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
