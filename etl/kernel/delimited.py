"""Lines of one field after the other."""

from etl.kernel.fields import is_whole, take, take_request, take_status, take_text, take_time
from etl.kernel.intrinsics import first_set, line_feeds, load8, load16, load32, load64, quotes, store64, word_ends
from etl.kernel.layout import (
    ADDRESS,
    AGENT_TEXTS,
    AGENTS,
    BACK,
    BAD_SHAPE,
    BAD_STATUS,
    BAD_TIME,
    BRACKETED,
    COMMON,
    END,
    EXTRA,
    FIELDS,
    FLAW,
    FLAWED_TIME,
    HOST,
    HOST_TEXTS,
    HOSTS,
    IGNORED,
    KIND,
    LAST,
    LIST,
    LISTS,
    LITERAL,
    LITERAL_MASK,
    MAX_LINE_BYTES,
    NAMELESS,
    NO_TIME,
    NOTHING,
    PLAIN,
    PREFIXED,
    PROGRAM,
    QUOTED,
    RESPONSE_BYTES,
    ROLE,
    ROW,
    SCALE,
    SHORTCUT,
    SIZES,
    SPACES,
    STAMP,
    STATUS,
    TIME,
    TIMES,
    UNDECIDED,
    USER_AGENT,
    VHOST_COMBINED,
    WORDS,
)
from etl.kernel.masks import clf_end, is_digit
from etl.kernel.texts import compiled, hex_digit, inlined
from etl.kernel.times import clf_time

LONGEST_TIME = 36  # bytes of a timestamp in brackets


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
def after_word(p):
    """Return where the first byte is that is part of no word, from here on."""
    mask = word_ends(p, 32)
    while mask == 0:
        p += 32
        mask = word_ends(p, 32)
    return p + first_set(mask)


@inlined
def word_end(begin):
    """Return where a word ends that begins here, at its space; 0 if none does."""
    p = after_word(begin)
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


@compiled
def list_end(p, end, last):
    """Return where a list of words ends that begins here, as `a, b : c`; 0 if that isn't proven."""
    while True:
        begin = p
        mask = word_ends(p, end)
        while mask == 0:
            p += 32
            mask = word_ends(p, end)
        p += first_set(mask)
        byte = load8(p)
        if p == begin:
            return 0
        if byte == 32 and load8(p - 1) == 44:
            if p - 1 == begin:
                return 0
            p += 1
        elif byte == 32 and load16(p + 1) == 0x203A:  # ': '
            p += 3
        else:
            is_end = byte == end or (last and (byte == 10 or (byte == 13 and load8(p + 1) == 10)))
            return p if is_end else 0


@compiled
def words_end(p, end, last, back):
    """Return where words end that go to a tab or a bar, with so many spaces before it, or to the line end; else 0.

    Of more spaces the words have the first ones.
    """
    begin = p
    while True:
        mask = word_ends(p, end)
        if mask == 0:
            p += 32
            continue
        p += first_set(mask)
        byte = load8(p)
        if byte == end:
            break
        if byte == 10 or byte == 13:
            return p if last and (byte == 10 or load8(p + 1) == 10) else 0
        p += 1
    for _ in range(back):
        p -= 1
        if p < begin or load8(p) != 32:
            return 0
    return p


@compiled
def nameless_end(row, p):
    """Return where the literal of the row behind this one comes first, or the line ends; else 0."""
    end, mask = load64(row + 8 * END), load64(row + 8 * (ROW + LITERAL_MASK))
    literal = load64(row + 8 * (ROW + LITERAL))
    while True:
        byte = load8(p)
        if byte == end and mask and (load64(p) & mask) == literal:
            return p
        if byte == 10 or byte == 13:
            return p if load64(row + 8 * LAST) and (byte == 10 or load8(p + 1) == 10) else 0
        p += 1


@compiled
def after_prefix(at):
    """Return where a line of HAProxy begins behind what syslog puts before it, 0 if it isn't proven what that is.

    It begins with a client, a word before the first time in brackets.
    """
    p = at
    while True:
        mask = word_ends(p, 91)
        if mask == 0:
            p += 32
            continue
        p += first_set(mask)
        byte = load8(p)
        if byte == 91 and p > at:
            break
        if byte == 10 or byte == 13 or byte == 34 or byte == 91 or byte == 93:
            return 0
        p += 1
    if load8(p - 1) == 32:
        if load8(p + 3) != 47:
            return 0
        p -= 1
        while p > at and load8(p - 1) != 32:
            p -= 1
        return p
    begin = p + 1
    p = begin
    while 48 <= load8(p) <= 57:
        p += 1
    if p == begin or (load32(p) & 0xFFFFFF) != 0x203A5D:  # ']: '
        return 0
    p += 2
    while load8(p) == 32:
        p += 1
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
def is_of_year_9999(at):
    """Tell whether a CLF timestamp is of the last year: which of its times count, the plain parser knows."""
    return load32(at + 7) == 0x39393939


@compiled
def flaw(role, kind, at, end):
    """Return what a value that was not taken makes of its line, UNDECIDED if that isn't proven."""
    if role == STATUS:
        return BAD_STATUS
    # written so, it is no other kind of timestamp
    if role != TIME or kind != STAMP or end - at != 26 or is_of_year_9999(at):
        return UNDECIDED
    if load8(at + 2) != 47 or load8(at + 11) != 58 or load8(at + 20) != 32:
        return UNDECIDED
    for p in range(at, end):
        byte = load8(p)
        if byte == 10 or byte == 34 or byte == 91 or byte == 93:
            return UNDECIDED
    return BAD_TIME


@inlined
def is_flawed(line, found):
    """Note of a line that has the format's shape why it is a reject; False if that isn't proven."""
    time = NO_TIME
    if found != BAD_TIME:
        time = load64(line + TIMES)
        if time == NO_TIME:
            return False
    store64(line + FLAW, found)
    store64(line + FLAWED_TIME, time)
    store64(line + TIMES, NO_TIME)  # so it has no row
    return True


@inlined
def delimited_line(frame, line, at):
    """Take a line of one field after the other; return where it ends, or 0 if it isn't proven what it is."""
    p, flawed = at, UNDECIDED
    is_list = commas = False
    row = load64(frame + 8 * PROGRAM)
    if load64(frame + 8 * PREFIXED):
        p = after_prefix(at)
        if p == 0:
            return 0
    for _ in range(load64(frame + 8 * FIELDS)):
        size = load64(row)
        if size:
            if (load64(p) & load64(row + 8 * LITERAL_MASK)) != load64(row + 8 * LITERAL):
                return 0
            p += size
        begin, kind = p, load64(row + 8 * KIND)
        if kind < NOTHING:
            p = field_end(kind, p, load64(row + 8 * END), load64(row + 8 * LAST))
            if p == 0 and kind == LIST and load64(frame + 8 * LISTS):
                p, is_list = list_end(begin, load64(row + 8 * END), load64(row + 8 * LAST)), True
            end = p
            if p and kind < LIST:
                commas |= load8(p - 1) == 44 or load8(p - 1) == 58
        elif kind == NOTHING:
            row += 8 * ROW
            continue
        elif kind == SPACES:
            while load8(p) == 32:
                p += 1
            row += 8 * ROW
            continue
        elif kind == WORDS:
            p = words_end(p, load64(row + 8 * END), load64(row + 8 * LAST), load64(row + 8 * BACK))
            end = p
        elif kind == NAMELESS:
            p = nameless_end(row, p)
            end = p
        elif load8(p) == 45:  # for no value
            p += 1
            begin, end = p, p
        else:
            begin += 1
            end = quoted_end(begin) if load8(p) == 34 else 0
            p = end + 1 if end else 0
        if p == 0:
            return 0
        role = load64(row + 8 * ROLE)
        if role != IGNORED and not take(frame, line, role, load64(row + 8 * SCALE), begin, end):
            if role == RESPONSE_BYTES:
                store64(line + SIZES, -1)  # not known
            else:
                found = flaw(role, kind, begin, end)
                if found == UNDECIDED:
                    return 0
                flawed = max(flawed, found)
        row += 8 * ROW
    if is_list and commas:  # a comma may be of a list or of a word
        return 0
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
    if flawed:
        return p if is_flawed(line, flawed) else 0
    return p if is_whole(frame, line) else 0


@compiled
def shown_time(line, at, end):
    """Note the first timestamp in brackets of a line; False if it isn't proven which that is."""
    store64(line + FLAWED_TIME, NO_TIME)
    for p in range(at, end):
        if load8(p) != 91:
            continue
        stop = clf_end(p + 1, end)
        if stop and load8(stop) == 93:
            store64(line + FLAWED_TIME, clf_time(p + 1))
            return not is_of_year_9999(p + 1)
        # perhaps one of ISO 8601, with slashes, or of another kind of CLF
        if is_digit(load8(p + 1)) and (load8(p + 5) == 45 or load8(p + 5) == 47 or load8(p + 3) == 47):
            for q in range(p + 1, min(end, p + 2 + LONGEST_TIME)):
                if load8(q) == 93:
                    return False
    return True


@inlined
def apache_word_end(begin):
    """Return where a word ends that begins here, at its space; 0 if there is no word, -1 if that isn't proven."""
    p = after_word(begin)
    byte = load8(p)
    if byte == 32:
        return p if p > begin else 0
    return 0 if byte == 10 or byte == 13 or byte == 34 or byte == 91 or byte == 93 else -1


@inlined
def first_quote(p, end):
    """Return where the first quote is, or else the end."""
    while p < end:
        mask = quotes(p)
        if mask == 0:
            p += 64
            continue
        p += first_set(mask)
        if load8(p) == 34:
            break
        p += 1
    return min(p, end)


@compiled
def are_addresses(at, end):
    """Tell whether what is in brackets may be addresses, but for the last text in brackets, which ends here."""
    while load8(end) != 91 and end > at:
        end -= 1
    p = at
    while p < end:
        is_open = load8(p) == 91
        p += 1
        if is_open:
            while hex_digit(load8(p)) >= 0 or load8(p) == 58 or load8(p) == 46:
                p += 1
            if load8(p) != 93:
                return False
    return True


@compiled
def has_shape(frame, at, end):
    """Tell whether a line may have the shape of Apache's formats, by what comes from its first quote on.

    Before it there is no other quote but those of an empty user name, and all in brackets but the time are
    addresses. From the quote on, where a field ends is told by the first byte that it can't have.
    """
    p = first_quote(at, end)
    if p == end:
        return False
    if p - at < 2 or load16(p - 2) != 0x205D:  # '] '
        return load8(p + 1) == 34
    if not are_addresses(at, p - 2):
        return False
    p = quoted_end(p + 1)
    if p == 0 or load8(p + 1) != 32:
        return False
    p = apache_word_end(p + 2)
    if p <= 0:
        return p != 0
    if load64(frame + 8 * SHORTCUT) == COMMON:
        return True
    p = apache_word_end(p + 1)
    if p <= 0:
        return p != 0
    if load8(p + 1) != 34:
        return False
    p = quoted_end(p + 2)
    if p == 0 or (load32(p) & 0xFFFFFF) != 0x222022:  # '" "'
        return False
    p = quoted_end(p + 3)
    if p == 0:
        return False
    p += 1
    if load8(p) == 13:
        p += 1
    return p == end or load64(frame + 8 * EXTRA) != 0


@compiled
def misshapen(frame, line, at, end):
    """Return BAD_SHAPE for a line, up to its line feed, that is proven to have another shape than its format's."""
    if load64(frame + 8 * SHORTCUT) and end + 1 - at <= MAX_LINE_BYTES and not has_shape(frame, at, end):
        return BAD_SHAPE if shown_time(line, at, end) else UNDECIDED
    return UNDECIDED


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
