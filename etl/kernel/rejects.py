"""What is kept of lines that are no requests, and their statuses: as etl.lines.privacy and etl.lines.statuses say.

Places in a line are regular expressions there. Here they are followed field by field, as long as there is but one
way to do that. What isn't proven so is a doubt, and left to those.
"""

from etl.kernel.delimited import LONGEST_TIME, first_quote
from etl.kernel.intrinsics import (
    first_set,
    json_stops,
    load8,
    load16,
    load32,
    load64,
    mask_bytes,
    quotes,
    store8,
    store32,
    store64,
    word_ends,
)
from etl.kernel.keyed import ends_object
from etl.kernel.layout import (
    ADDRESS,
    BRACKETED,
    DASHED,
    DELIMITED,
    DOUBTFUL_STATUS,
    DOUBTFUL_TIME,
    END,
    JSON,
    KIND,
    LAST,
    LINE_BYTES,
    LIST,
    LITERAL,
    LITERAL_MASK,
    LOOKED_AT,
    NO_TIME,
    NOTHING,
    PLAIN,
    QUOTED,
    ROW,
    SHOWN_AFTER_QUOTE,
    SHOWN_BOUNDS,
    SHOWN_COUNT,
    SHOWN_DOUBTS,
    SHOWN_FIRST_QUOTED,
    SHOWN_MASKED,
    SHOWN_OFFSETS,
    SHOWN_STATUS_COUNT,
    SHOWN_STATUS_ROWS,
    SHOWN_STATUS_SHAPE,
    SHOWN_STATUS_SURE,
    SHOWN_TEXTS,
    SHOWN_TIME_AT,
    SHOWN_TIME_COUNT,
    SHOWN_TIME_END,
    SHOWN_TIME_ROWS,
    SHOWN_TIME_SHAPE,
    SHOWN_TIME_STOP,
    SHOWN_TIME_SURE,
    SHOWN_TIME_WORDS,
    USER,
    WORDS,
)
from etl.kernel.masks import clf_end, is_digit
from etl.kernel.texts import compiled, hex_digit, inlined, same_text
from etl.kernel.times import AS_ISO, clf_time, clock_time, iso_day

DOUBT = -1
NO_PLACE, GONE, KEPT = range(3)  # of a time: it isn't in its place, or it is and doesn't exist, or does
SHORTEST_TIME = 19  # bytes, of those that may stand in a place


@inlined
def is_white(byte):
    """Tell whether a byte is white space in a regular expression."""
    return byte == 32 or 9 <= byte <= 10 or 12 <= byte <= 13


@compiled
def string_end(p, end):
    """Return where a text in quotes ends that begins here, at its quote; 0 if it has none."""
    while p < end:
        mask = quotes(p)
        if mask == 0:
            p += 64
            continue
        p += first_set(mask)
        if p >= end:
            return 0
        byte = load8(p)
        if byte == 34:
            return p
        p += 1 if byte == 10 else 2
    return 0


@compiled
def bare_word_end(p, end, stop):
    """Return where a word ends that begins here: at what it can't have, which `stop` is too, or where all ends."""
    while p < end:
        mask = word_ends(p, stop)
        if mask == 0:
            p += 32
            continue
        p += first_set(mask)
        if p >= end:
            return end
        byte = load8(p)
        if byte == stop or byte >= 32 or byte == 10 or byte == 13:
            return p
        p += 1
    return end


@compiled
def address_end(p, end):
    """Return where an IPv6 address ends whose bracket was opened, with its port; 0 if it is none."""
    begin = p
    while p < end and (hex_digit(load8(p)) >= 0 or load8(p) == 58 or load8(p) == 46):
        p += 1
    if p == begin or p >= end or load8(p) != 93:
        return 0
    p += 1
    if p < end and load8(p) == 58:
        begin = p
        p += 1
        while p < end and is_digit(load8(p)):
            p += 1
        if p == begin + 1:
            return begin
    return p


@compiled
def user_end(p, end, is_clear):
    """Return where a user name ends, which may hold spaces; 0 if there is none, DOUBT if that isn't proven."""
    if p + 2 <= end and load16(p) == 0x2222:
        return p + 2
    begin = p
    while p < end:
        byte = load8(p)
        if byte == 34 or byte == 91 or byte == 93:
            break
        if byte == 32:
            after = load8(p + 1)
            if p + 1 >= end or after == 32 or after == 34 or after == 91 or after == 93 or after == 45:
                break
            if p > begin and not is_clear:
                return DOUBT
        if byte == 32 and p == begin:
            return 0
        p += 1
    return p if p > begin else 0


@compiled
def shown_end(row, kind, p, end):
    """Return where a field ends that begins here; 0 if there is none, DOUBT if that isn't proven."""
    stop = load64(row + 8 * END)
    if kind == QUOTED:
        return string_end(p, end)
    if kind == DASHED:
        if p < end and load8(p) == 34:
            p = string_end(p + 1, end)
            return p + 1 if p else 0
        return p + 1 if p < end and load8(p) == 45 else 0
    if kind == USER:
        return user_end(p, end, load64(row + 8 * LAST))
    begin = p
    if kind == BRACKETED:
        while p < end and load8(p) != 34 and load8(p) != 91 and load8(p) != 93:
            p += 1
        return p
    if kind == WORDS or kind == PLAIN:
        if kind == PLAIN and load8(p) == 34:
            return DOUBT
        while p < end and load8(p) != stop and load8(p) != 10 and load8(p) != 13:
            p += 1
        return p if p > begin or kind == WORDS else 0
    if (kind == ADDRESS or kind == LIST) and p < end and load8(p) == 91:
        p = address_end(p + 1, end)
    else:
        p = bare_word_end(p, end, stop)
    if p <= begin:
        return 0
    if kind == LIST and p < end:
        # it may go on, after a comma or a colon
        if load8(p) == 44 or (load8(p) == 32 and (load8(p - 1) == 44 or load8(p + 1) == 58)):
            return DOUBT
    return p


@inlined
def is_literal(row, p, end):
    """Tell whether a row's literal is here."""
    is_there = (load64(p) & load64(row + 8 * LITERAL_MASK)) == load64(row + 8 * LITERAL)
    return is_there and p + load64(row) <= end


@compiled
def followed(row, count, p, end):
    """Return where so many rows of literals and fields end; 0 if they aren't there, DOUBT if that isn't proven."""
    for _ in range(count):
        size = load64(row)
        if size:
            if not is_literal(row, p, end):
                return 0
            p += size
        kind = load64(row + 8 * KIND)
        if kind != NOTHING:
            p = shown_end(row, kind, p, end)
            if p <= 0:
                return p
        row += 8 * ROW
    return p


@compiled
def time_shown(frame, shown, at, end, stop, may_hold_spaces):
    """Return what a time is that would begin here and end before a byte that it can't have, DOUBT if not proven.

    Where it is is noted.
    """
    if at >= end or not is_digit(load8(at)):
        return NO_PLACE
    p = at
    while p < end and p - at <= LONGEST_TIME and load8(p) != stop:
        p += 1
    size = p - at
    if p >= end or load8(p) != stop or size < SHORTEST_TIME:
        return NO_PLACE
    store64(shown + 8 * SHOWN_TIME_AT, at)
    store64(shown + 8 * SHOWN_TIME_STOP, p)
    if may_hold_spaces and clf_end(at, p) == p:
        if load32(at + 7) == 0x39393939:  # of the year 9999, the last hours may not exist
            return DOUBT
        return GONE if clf_time(at) == NO_TIME else KEPT
    if load8(at + 4) != 45 or load8(at + 7) != 45:
        return DOUBT
    if not may_hold_spaces:
        for q in range(at, p):
            if load8(q) == 32:
                return DOUBT
    if load8(at + 10) != 84 and load8(at + 10) != 32:
        return DOUBT
    found = clock_time(frame, iso_day(frame, at), at + 11, p, AS_ISO)
    return DOUBT if found == NO_TIME else KEPT


@inlined
def status_at(p, end):
    """Return the status that stands here, 0 if none does."""
    if p + 3 > end:
        return 0
    first, second, third = load8(p) - 48, load8(p + 1) - 48, load8(p + 2) - 48
    if first < 1 or first > 5 or second < 0 or second > 9 or third < 0 or third > 9:
        return 0
    if p + 3 < end:
        after = load8(p + 3)
        if after == 46 or is_digit(after) or 97 <= (after | 32) <= 122:
            return 0
    return 100 * first + 10 * second + third


@inlined
def unquoted(p, end):
    """Return where a value begins that may stand in quotes."""
    return p + 1 if p < end and load8(p) == 34 else p


@compiled
def delimited_time(frame, shown, at, end):
    """Return what a line of fields has in the place of its time; see time_shown."""
    rows = load64(shown + 8 * SHOWN_TIME_ROWS)
    p = followed(rows, load64(shown + 8 * SHOWN_TIME_COUNT), at, end)
    if p <= 0:
        return p
    stop, may_hold_spaces = load64(shown + 8 * SHOWN_TIME_END), load64(shown + 8 * SHOWN_TIME_WORDS)
    return time_shown(frame, shown, p, end, stop, may_hold_spaces)


@compiled
def delimited_status(shown, at, end):
    """Return the status that a line of fields shows in its place, 0 for none, DOUBT if that isn't proven."""
    if load64(shown + 8 * SHOWN_FIRST_QUOTED):
        # the request is in quotes first, unless a user name is empty
        row, quote = load64(shown + 8 * SHOWN_AFTER_QUOTE), first_quote(at, end)
        p, found, may_be_quoted = string_end(quote + 1, end), 0, False
        if p and is_literal(row, p, end):
            p += load64(row)
            found, may_be_quoted = status_at(p, end), load8(p) == 34
        if found or not (may_be_quoted or load8(quote + 1) == 34):
            return found
    rows = load64(shown + 8 * SHOWN_STATUS_ROWS)
    p = followed(rows, load64(shown + 8 * SHOWN_STATUS_COUNT), at, end)
    if p < 0:
        return DOUBT
    found = status_at(unquoted(p, end), end) if p else 0
    if found:
        return found
    row = load64(shown + 8 * SHOWN_AFTER_QUOTE)
    if row:
        p = string_end(first_quote(at, end) + 1, end)
        if (
            p
            and p + load64(row) <= end
            and (load64(p) & load64(row + 8 * LITERAL_MASK)) == load64(row + 8 * LITERAL)
        ):
            return status_at(p + load64(row), end)
    return 0


@inlined
def after_white(p, end):
    """Return where white space ends."""
    while p < end and is_white(load8(p)):
        p += 1
    return p


@compiled
def after_comma(p, end):
    """Return what follows the next comma of an object in which no object has another; 0 if there is none."""
    while p < end:
        mask = json_stops(p)
        if mask == 0:
            p += 64
            continue
        p += first_set(mask)
        if p >= end:
            return 0
        byte = load8(p)
        if byte == 44:
            return p + 1
        if byte == 125:
            return 0
        if byte == 123:
            p += 1
            while p < end and load8(p) != 125:
                byte = load8(p)
                if byte == 123:
                    return 0
                if byte == 34:
                    p = string_end(p + 1, end)
                    if p == 0:
                        return 0
                p += 1
        else:
            p = string_end(p + 1, end)
            if p == 0:
                return 0
        p += 1
    return 0


@compiled
def named_value(name, p, end):
    """Return where the value begins whose name may stand here, 0 if it isn't there."""
    p = after_white(p, end)
    text, size = load64(name), load64(name + 8)
    if p + size + 2 > end or load8(p) != 34 or load8(p + 1 + size) != 34 or not same_text(text, p + 1, size):
        return 0
    p = after_white(p + size + 2, end)
    return after_white(p + 1, end) if p < end and load8(p) == 58 else 0


@inlined
def json_begin(p, end):
    """Return what follows the bracket by which a line of JSON begins, 0 if it doesn't."""
    p = after_white(p, end)
    return p + 1 if p < end and load8(p) == 123 else 0


@inlined
def json_time_at(frame, shown, name, p, end):
    """Return what a time is whose name may stand here; see time_shown."""
    p = named_value(name, p, end)
    return time_shown(frame, shown, p + 1, end, 34, 1) if p and p < end and load8(p) == 34 else NO_PLACE


@compiled
def json_time(frame, shown, at, end):
    """Return what a line of JSON has in the first place that fits; see time_shown.

    Of several values of a name, the first behind a comma counts before the one that the object begins with.
    """
    begin, name = json_begin(at, end), load64(shown + 8 * SHOWN_TIME_ROWS)
    if begin == 0:
        return NO_PLACE
    for _ in range(load64(shown + 8 * SHOWN_TIME_COUNT)):
        p = after_comma(begin, end)
        while p:
            found = json_time_at(frame, shown, name, p, end)
            if found:
                return found
            p = after_comma(p, end)
        found = json_time_at(frame, shown, name, begin, end)
        if found:
            return found
        name += 16
    return NO_PLACE


@inlined
def json_status_at(name, p, end):
    """Return the status whose name may stand here, 0 if it isn't there."""
    p = named_value(name, p, end)
    return status_at(unquoted(p, end), end) if p else 0


@compiled
def json_status(shown, at, end):
    """Return the status that a line of JSON shows, 0 for none, DOUBT if the line may be whole."""
    if ends_object(at, end):
        return DOUBT
    begin, name = json_begin(at, end), load64(shown + 8 * SHOWN_STATUS_ROWS)
    if begin == 0:
        return 0
    for _ in range(load64(shown + 8 * SHOWN_STATUS_COUNT)):
        p = after_comma(begin, end)
        while p:
            found = json_status_at(name, p, end)
            if found:
                return found
            p = after_comma(p, end)
        found = json_status_at(name, begin, end)
        if found:
            return found
        name += 16
    return 0


@compiled
def show(frame, shown, statuses):
    """Mask lines, and find their statuses; see layout.SHOWN.

    Args:
        frame: What the kernel keeps.
        shown: Where the lines are, where their masked ones go, and how to find what is to be found.
        statuses: Where a 64-bit number a line is put: its status, 0 for none.
    """
    texts, offsets = load64(shown + 8 * SHOWN_TEXTS), load64(shown + 8 * SHOWN_OFFSETS)
    masked, bounds = load64(shown + 8 * SHOWN_MASKED), load64(shown + 8 * SHOWN_BOUNDS)
    doubts = load64(shown + 8 * SHOWN_DOUBTS)
    time_shape, status_shape = load64(shown + 8 * SHOWN_TIME_SHAPE), load64(shown + 8 * SHOWN_STATUS_SHAPE)
    time_sure, status_sure = load64(shown + 8 * SHOWN_TIME_SURE), load64(shown + 8 * SHOWN_STATUS_SURE)
    written = 0
    for n in range(load64(shown + 8 * SHOWN_COUNT)):
        at, end = texts + load32(offsets + 4 * n), texts + load32(offsets + 4 * n + 4)
        stop = min(end, at + LINE_BYTES + 1)
        while stop > at and (load8(stop - 1) == 10 or load8(stop - 1) == 13):
            stop -= 1
        size, out = min(stop - at, LINE_BYTES), masked + written
        for p in range(0, size, 64):
            mask_bytes(at + p, out + p)
        doubt, time, status = 0, NO_PLACE, 0
        if time_shape == DELIMITED:
            time = delimited_time(frame, shown, at, stop)
        elif time_shape == JSON:
            time = json_time(frame, shown, at, stop)
        if time < 0 or (time == NO_PLACE and not time_sure):
            doubt = DOUBTFUL_TIME
        elif time == KEPT:
            begin, stop = load64(shown + 8 * SHOWN_TIME_AT), load64(shown + 8 * SHOWN_TIME_STOP)
            if stop - at <= LINE_BYTES:
                for p in range(begin, stop):
                    store8(out + p - at, load8(p))
        stop = min(end, at + LOOKED_AT)
        if status_shape == DELIMITED:
            status = delimited_status(shown, at, stop)
        elif status_shape == JSON:
            status = json_status(shown, at, stop)
        if status < 0 or (status == 0 and not status_sure):
            doubt |= DOUBTFUL_STATUS
            status = 0
        store64(statuses + 8 * n, status)
        store8(doubts + n, doubt)
        written += size
        store32(bounds + 4 * n + 4, written)
