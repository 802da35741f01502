"""What a field of a line means, by what it is read for; False where that isn't proven."""

from etl.kernel.intrinsics import (
    authority_ends,
    cuts,
    first_set,
    load8,
    load16,
    load64,
    prefetch,
    same_bytes,
    store8,
    store16,
    store32,
    store64,
    store_float,
)
from etl.kernel.layout import (
    AGENT_TEXTS,
    AGENTS,
    AUTHORITY,
    CLOCK,
    DATE,
    DATE_AT,
    DURATION,
    DURATIONS,
    FLAW,
    HOST,
    HOST_TEXTS,
    HOSTS,
    LAST_MICROSECONDS,
    LAST_TIME,
    LAST_TIME_BYTES,
    LONGEST_KEPT,
    MANTISSA,
    MASK,
    METHOD,
    METHOD_BYTES,
    METHOD_COUNT,
    METHOD_NUMBER,
    METHOD_NUMBERS,
    METHOD_ROW,
    METHOD_TABLE,
    NO_TIME,
    NONE_YET,
    NOT_A_NUMBER,
    PATH_AT,
    PATH_BYTES,
    PATH_HASH,
    PATH_TEXTS,
    PLACES,
    REQUEST,
    RESPONSE_BYTES,
    RETRIED,
    SIZES,
    STATUS,
    STATUSES,
    STRICT,
    TARGET,
    TIME,
    TIMES,
    UNDECIDED,
    UNKNOWN,
    UPSTREAM,
    UPSTREAM_STATUS,
    UPSTREAMS,
    USER_AGENT,
    ZERO_STATUS,
)
from etl.kernel.texts import compiled, encoded, hash_of, inlined, intern, same_text, two_digits
from etl.kernel.times import IN_UTC, any_time, clock_time, iso_day

MOST = 1_000_000_000_000_000  # the digits of a duration, which a float of 64 bits has all


@inlined
def take_text(table, place, at, end):
    """Note the number of a text of which many lines have the same; `table` is where the table's address is."""
    if end - at > LONGEST_KEPT:
        return False
    number = intern(load64(table), at, end - at)
    store32(place, number)
    return True


@inlined
def path_end(at, end):
    """Return where a path ends: at its query, fragment or parameters, encoded or not."""
    while True:
        mask = cuts(at)
        if mask == 0:
            at += 64
            if at >= end:
                return end
            continue
        at += first_set(mask)
        if at >= end:
            return end
        if load8(at) != 37:
            return at
        byte = encoded(at, end)
        if byte == 59 or byte == 63 or byte == 35:
            return at
        at += 1


@inlined
def take_path(frame, line, at, end):
    """Note a path, to be interned when there are some: by then, their places in the table are in the cache."""
    end = path_end(at, end)
    size = end - at
    if size > LONGEST_KEPT:
        return False
    table = load64(frame + 8 * PATH_TEXTS)
    value = hash_of(at, size)
    store64(line + PATH_AT, at)
    store64(line + PATH_BYTES, size)
    store64(line + PATH_HASH, value)
    prefetch(load64(table) + 8 * (value & load64(table + 8 * MASK)))
    return True


@compiled
def scheme_end(at, end):
    """Return what follows a URL's scheme and its `://`, 0 if none begins here."""
    begin = at
    while at < end:
        byte = load8(at)
        if byte == 58:
            return at + 3 if at > begin and at + 3 <= end and load16(at + 1) == 0x2F2F else 0
        is_letter = 97 <= (byte | 32) <= 122
        # a digit, plus, dash, dot
        if not is_letter and (at == begin or not (48 <= byte <= 57 or byte == 43 or byte == 45 or byte == 46)):
            return 0
        at += 1
    return 0


@compiled
def absolute_path(frame, line, at, end):
    """Return where the path of an absolute target begins, 0 if it has none, -1 if the application isn't proven."""
    begin = at = scheme_end(at, end)
    if at == 0:
        return 0
    while at < end:
        mask = authority_ends(at)
        if mask:
            at += first_set(mask)
            break
        at += 32
    has_path = at < end and load8(at) == 47
    if load64(frame + 8 * AUTHORITY):
        if not has_path:
            return -1
        for p in range(begin, at):
            if load8(p) == 64:
                return -1
        if not take_text(frame + 8 * HOST_TEXTS, line + HOSTS, begin, at):
            return -1
    return at if has_path else 0


@inlined
def path_begin(frame, line, at, end):
    """Return where the path of a target begins, 0 if it has none, -1 if that isn't proven."""
    if at >= end:
        return 0
    return at if load8(at) == 47 else absolute_path(frame, line, at, end)


@inlined
def has_space(at, end):
    """Tell whether there is a space."""
    for p in range(at, end):
        if load8(p) == 32:
            return True
    return False


@inlined
def method_end(at, end):
    """Return where a method ends that begins here: capital letters and dashes."""
    while at < end and (65 <= load8(at) <= 90 or load8(at) == 45):
        at += 1
    return at


@inlined
def take_method(frame, line, at, size):
    """Note a method's number, if it is registered."""
    row = load64(frame + 8 * METHOD_TABLE)
    for _ in range(load64(frame + 8 * METHOD_COUNT)):
        if load64(row + 8 * METHOD_BYTES) == size and same_text(load64(row), at, size):
            store16(line + METHOD_NUMBERS, load64(row + 8 * METHOD_NUMBER))
            return
        row += 8 * METHOD_ROW


@inlined
def protocol_at(at, end):
    """Return where the space before the protocol is with which a request ends, 0 if it ends with none."""
    last = load8(end - 1) - 48
    if last < 0 or last > 9:
        return 0
    # ' HTTP/', and after it a digit, or a digit, a point and a digit
    if end - 9 > at and (load64(end - 9) & 0xFFFFFFFFFFFF) == 0x2F5054544820:
        major = load8(end - 3) - 48
        return end - 9 if load8(end - 2) == 46 and 0 <= major <= 9 else 0
    return end - 7 if end - 7 > at and (load64(end - 7) & 0xFFFFFFFFFFFF) == 0x2F5054544820 else 0


@inlined
def take_request(frame, line, at, end):
    """Take `METHOD TARGET PROTOCOL`, as etl.lines.parse.REQUEST has it; what isn't there stays unknown."""
    p = method_end(at, end)
    if p == at or (p < end and load8(p) != 32):
        return True  # it begins with no method, so nothing of it is kept
    take_method(frame, line, at, p - at)
    if p == end:
        return True
    at = p + 1
    stop = protocol_at(at, end)
    if stop == 0:
        if has_space(at, end):
            return True  # where a target with spaces ends can't be told
        stop = end
        p = path_begin(frame, line, at, end)
    elif load8(at) == 42 and stop == at + 1:
        p = at
    else:
        p = path_begin(frame, line, at, stop)
    return take_path(frame, line, p, stop) if p > 0 else p == 0


@compiled
def take_target(frame, line, at, end):
    """Take a target that stands alone."""
    if end == at or (end - at == 1 and load8(at) == 45):
        return True
    p = at if end - at == 1 and load8(at) == 42 else path_begin(frame, line, at, end)
    return take_path(frame, line, p, end) if p > 0 else p == 0


@compiled
def unit_scale(at, end, scale):
    """Return the decimal places of a unit that a text is, those of the field for none, -1 if it isn't proven."""
    size = end - at
    if size == 0:
        return scale
    if size == 1:
        return 0 if load8(at) == 115 else -1
    word = load16(at)
    if size == 2:
        return 3 if word == 0x736D else 6 if word == 0x7375 else 9 if word == 0x736E else -1  # ms, us, ns
    is_micro = word == 0xB5C2 or word == 0xBCCE  # the sign, or the letter mu
    return 6 if size == 3 and is_micro and load8(at + 2) == 115 else -1


@compiled
def take_duration(frame, line, at, end, scale, is_number):
    """Add a duration to the line's; False if it isn't proven what it is. A number of JSON is rounded."""
    size, strict = end - at, load64(frame + 8 * STRICT)
    if size == 0 or load8(at) == 45:
        store64(line + MANTISSA, UNKNOWN)
        if size == 1:
            return True
        return strict == 0 and (size == 0 or (size == 2 and load8(at + 1) == 49))
    mantissa, places, p = 0, 0, at
    while p < end and 48 <= load8(p) <= 57:
        mantissa = mantissa * 10 + load8(p) - 48
        p += 1
        if mantissa >= MOST:
            return False
    digits = p - at
    if digits == 0:
        return False
    if p < end and load8(p) == 46:
        p += 1
        begin, rest = p, 0
        while p < end and 48 <= load8(p) <= 57:
            if p - begin < 9:
                mantissa = mantissa * 10 + load8(p) - 48
                if mantissa >= MOST:
                    return False
            elif p - begin < 12:
                rest = rest * 10 + load8(p) - 48
            p += 1
        places = min(p - begin, 9)
        if places == 0:
            return False
        if p - begin > 9:
            for _ in range(p - begin, 12):
                rest *= 10
            # the number's binary form is that near to what is written
            if not is_number or digits > 3 or 499 <= rest <= 500:
                return False
            mantissa += rest > 500
    if strict and (digits > 9 or end - p > 2 or (end > p and load8(p) == 110)):
        return False
    scale = unit_scale(p, end, scale)
    if scale < 0:
        return False
    places += scale
    total, of_total = load64(line + MANTISSA), load64(frame + 8 * PLACES)
    if total == UNKNOWN:
        return True
    if total == NONE_YET:
        total, of_total = 0, places
    while of_total < places:
        total *= 10
        of_total += 1
        if total >= MOST:
            return False
    while places < of_total:
        mantissa *= 10
        places += 1
        if mantissa >= MOST:
            return False
    if mantissa + total >= MOST:
        return False
    store64(line + MANTISSA, total + mantissa)
    store64(frame + 8 * PLACES, places)
    return True


@inlined
def note_retried(line, is_so):
    """Note whether a list of upstreams has several; one that has is enough."""
    if is_so or load8(line + RETRIED) != 1:
        store8(line + RETRIED, is_so)


@compiled
def take_upstream_status(frame, line, at, end):
    """Take the status of the last of a list of upstreams; False if it isn't written as nginx does."""
    value, p = -1, at
    if p == end and load64(frame + 8 * STRICT):
        return False
    while p < end:
        value = -1
        if load8(p) == 45:
            p += 1
        else:
            hundreds, rest = load8(p) - 48, two_digits(p + 1)
            if end - p < 3 or hundreds < 0 or hundreds > 5 or rest < 0:
                return False
            value = hundreds * 100 + rest
            p += 3
        if p == end:
            break
        if load16(p) == 0x202C:  # ', '
            p += 2
        elif load8(p) == 32 and load16(p + 1) == 0x203A:  # ' : '
            p += 3
        else:
            return False
        if p >= end:
            return False
        note_retried(line, 1)
    store16(line + UPSTREAM, value)
    return True


@compiled
def are_several(at, end):
    """Tell whether a list has more than one element."""
    for p in range(at, end):
        if load8(p) == 44 or load8(p) == 32:
            return True
    return False


@inlined
def take_time(frame, line, at, end):
    """Take a timestamp, which mostly is that of the line before."""
    size = end - at
    if size == load64(frame + 8 * LAST_TIME_BYTES):
        chosen = (1 << size) - 1
        if (same_bytes(at, frame + 8 * LAST_TIME) & chosen) == chosen:
            store64(line + TIMES, load64(frame + 8 * LAST_MICROSECONDS))
            return True
    value = any_time(frame, at, end)
    if value == NO_TIME:
        return False
    store64(line + TIMES, value)
    if size <= 32:
        for n in range(0, 32, 8):
            store64(frame + 8 * LAST_TIME + n, load64(at + n))
        store64(frame + 8 * LAST_TIME_BYTES, size)
        store64(frame + 8 * LAST_MICROSECONDS, value)
    return True


@inlined
def take_status(frame, line, at, end):
    """Take a status of three digits, or what stands for none."""
    if end - at != 3:
        is_none = (end - at == 1 and load8(at) == 48) or (end - at == 2 and load16(at) == 0x312D)  # 0, -1
        if is_none and load64(frame + 8 * ZERO_STATUS):
            store16(line + STATUSES, 0)
            return True
        return False
    hundreds, rest = load8(at) - 48, two_digits(at + 1)
    if rest < 0 or hundreds < 1 or hundreds > 5:
        if hundreds != 0 or rest != 0 or not load64(frame + 8 * ZERO_STATUS):
            return False
    store16(line + STATUSES, hundreds * 100 + rest)
    return True


@compiled
def take(frame, line, role, scale, at, end):
    """Take what a field holds; False if it isn't proven what it means."""
    if role == TIME:
        return take_time(frame, line, at, end)
    if role == STATUS:
        return take_status(frame, line, at, end)
    if role == RESPONSE_BYTES:
        size = end - at
        value = 0
        if size != 1 or load8(at) != 45:
            if size < 1 or size > 18:
                return False
            for p in range(at, end):
                digit = load8(p) - 48
                if digit < 0 or digit > 9:
                    return False
                value = value * 10 + digit
        store64(line + SIZES, value)
        return True
    if role == REQUEST:
        return take_request(frame, line, at, end)
    if role == TARGET:
        return take_target(frame, line, at, end)
    if role == METHOD:
        if end - at == 1 and load8(at) == 45:
            return True
        if method_end(at, end) != end:
            return False
        take_method(frame, line, at, end - at)
        return True
    if role == USER_AGENT:
        return take_text(frame + 8 * AGENT_TEXTS, line + AGENTS, at, end)
    if role == HOST:
        return take_text(frame + 8 * HOST_TEXTS, line + HOSTS, at, end)
    if role == DURATION:
        return take_duration(frame, line, at, end, scale, False)
    if role == UPSTREAM_STATUS:
        note_retried(line, 0)
        return take_upstream_status(frame, line, at, end)
    if role == UPSTREAMS:
        note_retried(line, are_several(at, end))
        return True
    if role == DATE:
        store64(line + DATE_AT, at)
        return end - at == 10
    if role == CLOCK:
        day = load64(line + DATE_AT)
        if day == 0:
            return False
        value = clock_time(frame, iso_day(frame, day), at, end, IN_UTC)
        store64(line + TIMES, value)
        return value != NO_TIME
    return True


@inlined
def begin_line(line):
    """Set what a line is before anything is known of it."""
    store64(line + TIMES, NO_TIME)
    store64(line + SIZES, -1)
    store64(line + DURATIONS, NOT_A_NUMBER)
    store64(line + HOSTS, -1)  # and of agents
    store64(line + METHOD_NUMBERS, -1)  # and of statuses, upstream and retried
    store64(line + DATE_AT, 0)
    store64(line + MANTISSA, NONE_YET)
    store64(line + PATH_AT, 0)
    store64(line + FLAW, UNDECIDED)


@inlined
def is_whole(frame, line):
    """Tell whether a line had all that a request needs, and set its duration."""
    mantissa, places = load64(line + MANTISSA), load64(frame + 8 * PLACES)
    if mantissa >= 0:
        power = 1
        for _ in range(places):
            power *= 10
        store_float(line + DURATIONS, mantissa / power)
    status = load16(line + STATUSES)
    if status == 0 and load16(line + METHOD_NUMBERS) == 0xFFFF:
        return False  # may be no request at all
    return load64(line + TIMES) != NO_TIME and status != 0xFFFF
