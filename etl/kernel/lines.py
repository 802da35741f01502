"""The kernel: from lines at an address to what was found out of each.

It reads and writes at raw addresses, since a bounds check or a reference count a byte would cost more than the
work. Three rules keep that safe: a block is followed by PADDING bytes of which the first is a line feed, so that
every scan ends; nothing is read beyond them; and what belongs to a line is written to the line's row, of which
there is one for each line that is begun.
"""

from numba import njit

from etl.kernel.intrinsics import (
    authority_ends,
    bare_ends,
    cuts,
    first_set,
    key_ends,
    line_feeds,
    load8,
    load16,
    load32,
    load64,
    quotes,
    same_bytes,
    store8,
    store16,
    store32,
    store64,
    store_float,
    text_stops,
    word_ends,
)
from etl.kernel.layout import (
    AGENT_TEXTS,
    AGENTS,
    ARENA,
    ARENA_END,
    AUTHORITY,
    BRACKETED,
    CLOCK,
    CODES,
    COUNT,
    DATE,
    DATE_AT,
    DELIMITED,
    DURATION,
    DURATIONS,
    END,
    ENOUGH,
    ENTRIES,
    EXPECTED,
    EXPECTED_BYTES,
    EXPECTED_KEY,
    EXPECTED_ROW,
    EXPECTED_ROWS,
    EXTRA,
    FIELDS,
    FOUND,
    GATHER,
    HOST,
    HOST_TEXTS,
    HOSTS,
    IGNORED,
    JSON,
    KEY_BYTES,
    KEY_ROLE,
    KEY_ROW,
    KEY_SCALE,
    KEYS,
    KIND,
    LAST,
    LAST_DATE,
    LAST_DAY,
    LAST_MICROSECONDS,
    LAST_TIME,
    LINES,
    LIST,
    LITERAL,
    LITERAL_MASK,
    LONGEST_EXPECTED,
    MANTISSA,
    MASK,
    MAX_LINE_BYTES,
    METHOD,
    METHOD_COUNT,
    METHOD_NUMBERS,
    METHOD_TABLE,
    NAIVE_IS_UTC,
    NO_TIME,
    NONE_YET,
    NOT_A_NUMBER,
    NULL,
    NUMBER,
    PADDING,
    PATH_TEXTS,
    PATHS,
    PLACES,
    PLAIN,
    PREFIX,
    PROGRAM,
    PROVEN,
    QUOTED,
    REQUEST,
    RESPONSE_BYTES,
    RETRIED,
    ROLE,
    ROW,
    ROWS,
    SCALE,
    SIZES,
    STAMP,
    STARTS,
    STATUS,
    STATUSES,
    TARGET,
    TEXT,
    TIME,
    TIMES,
    UNDECIDED,
    UNKNOWN,
    UPSTREAM,
    UPSTREAM_STATUS,
    UPSTREAMS,
    USER_AGENT,
    VALUE_AT,
    VALUE_END,
    VALUE_KIND,
    VALUE_ROW,
    ZERO_STATUS,
)

compiled = njit(nogil=True, error_model="numpy")
inlined = njit(nogil=True, error_model="numpy", forceinline=True)  # a call costs more than what these do


@compiled
def two_digits(at):
    """Return the number that two digits are, negative if they are none."""
    tens, ones = load8(at) - 48, load8(at + 1) - 48
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return -10_000
    return tens * 10 + ones


@compiled
def day_number(year, month, day):
    """Return days since 1970-01-01, NO_TIME for a date that doesn't exist, or in UTC may not be read."""
    if year < 1970 or year > 9998 or month < 1 or month > 12 or day < 1:
        return NO_TIME
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = 31
    if month == 2:
        length = 29 if leap else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        length = 30
    if day > length:
        return NO_TIME
    # Howard Hinnant, chrono-compatible low-level date algorithms: days_from_civil
    shifted = year - 1 if month <= 2 else year
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@compiled
def seconds_of_day(at):
    """Return the seconds of HH:MM:SS, negative if it is no time of day."""
    hour, minute, second = two_digits(at), two_digits(at + 3), two_digits(at + 6)
    if load8(at + 2) != 58 or load8(at + 5) != 58:
        return -1
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return -1
    return hour * 3600 + minute * 60 + second


@compiled
def month_number(at):
    """Return the month that three letters name, 0 if none."""
    name = load32(at) & 0xFFFFFF
    number = 0
    if name == 0x6E614A:
        number = 1
    elif name == 0x626546:
        number = 2
    elif name == 0x72614D:
        number = 3
    elif name == 0x727041:
        number = 4
    elif name == 0x79614D:
        number = 5
    elif name == 0x6E754A:
        number = 6
    elif name == 0x6C754A:
        number = 7
    elif name == 0x677541:
        number = 8
    elif name == 0x706553:
        number = 9
    elif name == 0x74634F:
        number = 10
    elif name == 0x766F4E:
        number = 11
    elif name == 0x636544:
        number = 12
    return number


@compiled
def clf_time(at):
    """Return microseconds since 1970 of `17/May/2015:10:05:03 +0000`, NO_TIME if it isn't written so."""
    if load8(at + 2) != 47 or load8(at + 6) != 47 or load8(at + 11) != 58 or load8(at + 20) != 32:
        return NO_TIME
    days = day_number(two_digits(at + 7) * 100 + two_digits(at + 9), month_number(at + 3), two_digits(at))
    seconds = seconds_of_day(at + 12)
    sign, hours, minutes = load8(at + 21), two_digits(at + 22), two_digits(at + 24)
    if days == NO_TIME or seconds < 0 or hours < 0 or hours > 14 or minutes < 0 or minutes > 59:
        return NO_TIME
    if sign != 43 and sign != 45:
        return NO_TIME
    offset = hours * 3600 + minutes * 60
    return (days * 86_400 + seconds - (offset if sign == 43 else -offset)) * 1_000_000


@compiled
def iso_day(frame, at):
    """Return days since 1970-01-01 of `YYYY-MM-DD`, NO_TIME if it isn't written so; the last one is kept."""
    if load64(at) == load64(frame + 8 * LAST_DATE) and load16(at + 8) == load64(frame + 8 * LAST_DATE + 8):
        return load64(frame + 8 * LAST_DAY)
    if load8(at + 4) != 45 or load8(at + 7) != 45:
        return NO_TIME
    days = day_number(two_digits(at) * 100 + two_digits(at + 2), two_digits(at + 5), two_digits(at + 8))
    if days != NO_TIME:
        store64(frame + 8 * LAST_DATE, load64(at))
        store64(frame + 8 * LAST_DATE + 8, load16(at + 8))
        store64(frame + 8 * LAST_DAY, days)
    return days


@compiled
def fraction(at, end):
    """Return the microseconds of 1 to 9 digits after a decimal point, negative if there are others."""
    if end - at < 1 or end - at > 9:
        return -1
    value = 0
    for n in range(6):
        value *= 10
        if at + n < end:
            digit = load8(at + n) - 48
            if digit < 0 or digit > 9:
                return -1
            value += digit
    for n in range(6, end - at):
        digit = load8(at + n) - 48
        if digit < 0 or digit > 9:
            return -1
    return value


@compiled
def iso_time(frame, day, at, end, offset_given):
    """Return microseconds since 1970 of a day and `HH:MM:SS[.f][offset]`, NO_TIME if it isn't written so."""
    if day == NO_TIME or end - at < 8:
        return NO_TIME
    seconds = seconds_of_day(at)
    if seconds < 0:
        return NO_TIME
    p, micros = at + 8, 0
    if p < end and (load8(p) == 46 or load8(p) == 44):
        stop = p + 1
        while stop < end and 48 <= load8(stop) <= 57:
            stop += 1
        micros = fraction(p + 1, stop)
        if micros < 0:
            return NO_TIME
        p = stop
    offset = 0
    if offset_given:  # by the format: it stands beside no zone
        if p != end:
            return NO_TIME
    elif p == end:
        if not load64(frame + 8 * NAIVE_IS_UTC):
            return NO_TIME
    elif end - p == 1:
        if load8(p) != 90 and load8(p) != 122:
            return NO_TIME
    else:
        sign, hours, minutes = load8(p), two_digits(p + 1), 0
        if sign != 43 and sign != 45:
            return NO_TIME
        if end - p == 6 and load8(p + 3) == 58:
            minutes = two_digits(p + 4)
        elif end - p == 5:
            minutes = two_digits(p + 3)
        elif end - p != 3:
            return NO_TIME
        if hours < 0 or hours > 14 or minutes < 0 or minutes > 59:
            return NO_TIME
        offset = (hours * 3600 + minutes * 60) * (1 if sign == 43 else -1)
    return (day * 86_400 + seconds - offset) * 1_000_000 + micros


@compiled
def epoch_time(at, end):
    """Return microseconds since 1970 of seconds (10 digits, a fraction), milli- (13) or microseconds (16)."""
    value, p = 0, at
    while p < end and 48 <= load8(p) <= 57 and p - at < 17:
        value = value * 10 + load8(p) - 48
        p += 1
    if p == end:
        if p - at == 16:
            return value
        if p - at == 13:
            return value * 1000
        return value * 1_000_000 if p - at == 10 else NO_TIME
    if p - at != 10 or load8(p) != 46:
        return NO_TIME
    micros = fraction(p + 1, end)
    return NO_TIME if micros < 0 else value * 1_000_000 + micros


@compiled
def any_time(frame, at, end):
    """Return microseconds since 1970 of a timestamp in any of the three ways of writing it, else NO_TIME."""
    if end - at == 26 and load8(at + 2) == 47:
        return clf_time(at)
    if end - at >= 19 and load8(at + 4) == 45:
        if load8(at + 10) != 84 and load8(at + 10) != 32:
            return NO_TIME
        return iso_time(frame, iso_day(frame, at), at + 11, end, False)
    return epoch_time(at, end)


@compiled
def copy(at, size, out):
    """Copy bytes, and up to seven more."""
    for p in range(0, size, 8):
        store64(out + p, load64(at + p))


@compiled
def mask_numbers(at, size, out):
    """Write a segment of a path with its long numbers masked, and return the size of what was written."""
    n = written = 0
    while n < size:
        c = load8(at + n)
        end, digits = n + 1, 1
        if 48 <= c <= 57:
            while end < size:
                c = load8(at + end)
                if 48 <= c <= 57:
                    end += 1
                elif (c == 43 or c == 45) and end + 1 < size and 48 <= load8(at + end + 1) <= 57:
                    end += 2
                else:
                    break
                digits += 1
        if digits >= 9:
            store64(out + written, 0x7265626D756E7B)  # {number
            store8(out + written + 7, 125)
            written += 8
        else:
            for p in range(n, end):
                store8(out + written + p - n, load8(at + p))
            written += end - n
        n = end
    return written


@compiled
def mask_segment(at, size, out):
    """Write a segment of a path as it may be kept; see etl.privacy.

    Returns:
        The size of what was written, or -1 if it isn't proven what has to be masked.
    """
    run = kinds = alphanumeric = hexadecimal = digits = dots = colons = groups = before = 0
    is_email = is_token = is_long = has_number = False
    for n in range(size):
        c = load8(at + n)
        if 48 <= c <= 57:
            run += 1
            kinds |= 1
            alphanumeric += 1
            hexadecimal += 1
            digits += 1
            has_number |= digits >= 9
        elif 97 <= c <= 122 or 65 <= c <= 90:
            run += 1
            kinds |= 2 if c >= 97 else 4
            alphanumeric += 1
            digits = 0
            if (c | 32) <= 102:
                hexadecimal += 1
            else:
                hexadecimal = groups = 0
        elif c == 45 or c == 43:  # - and +, which may stand between the digits of one number
            if c == 45 and groups > 0 and hexadecimal == 4:
                groups += 1
            else:
                groups = 1 if c == 45 and hexadecimal >= 8 else 0
            is_token |= groups == 3  # as in a UUID
            run = run + 1 if c == 45 else 0
            kinds = kinds if c == 45 else 0
            alphanumeric = hexadecimal = 0
            if before < 48 or before > 57:
                digits = 0
        elif c == 95:
            run += 1
            alphanumeric = hexadecimal = digits = groups = 0
        else:
            if c < 33 or c > 126:
                return -1
            if c == 37:
                code = load16(at + n + 1)
                if load8(at + n + 2) >= 97:
                    code -= 32 << 8
                # 25, 23, and 2B, 2D, 2E: another sign of percent, what cuts a path, and what stands in numbers
                if code == 0x3532 or code == 0x3332 or code == 0x4232 or code == 0x4432 or code == 0x4532:
                    return -1
                if 51 <= code & 0xFF <= 55:  # 3 to 7: a letter, a digit, @, or another that cuts a path
                    return -1
            is_email |= c == 64
            dots += 1 if c == 46 and 48 <= before <= 57 else 0
            colons += c == 58
            run = kinds = alphanumeric = hexadecimal = digits = groups = 0
        is_token |= alphanumeric >= 20 or hexadecimal >= 16
        is_long |= run >= 20 and kinds == 7
        before = c
    if is_long or (is_token and not is_email):
        store64(out, 0x7D6E656B6F747B)  # {token}
        return 7
    if is_email:
        store64(out, 0x7D6C69616D657B)  # {email}
        return 7
    if dots >= 3 or colons >= 2:
        return -1
    if has_number:
        return mask_numbers(at, size, out)
    copy(at, size, out)
    return size


@compiled
def mask_path(at, size, out):
    """Write a path as it may be kept.

    Returns:
        The size of what was written, or -1 if it isn't proven what has to be masked.
    """
    if size > 1000:
        return -1
    begin = written = 0
    for n in range(size + 1):
        if n == size or load8(at + n) == 47:
            segment = mask_segment(at + begin, n - begin, out + written)
            if segment < 0:
                return -1
            written += segment
            if n < size:
                store8(out + written, 47)
                written += 1
            begin = n + 1
    return written if written <= 1000 else -1


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
            if abs(load64(text + 8)) == size and same_text(load64(text), at, size):
                return place
        slot = (slot + 1) & mask


@inlined
def add_text(table, slot, value, at, size):
    """Put a text into its free slot, and return its number."""
    entry = load64(table + 8 * COUNT)
    store64(table + 8 * COUNT, entry + 1)
    store32(slot, entry + 1)
    store32(slot + 4, value >> 32)
    text = load64(table + 8 * ENTRIES) + 16 * entry
    store64(text, at)
    store64(text + 8, size)
    return entry


@inlined
def intern(table, at, size):
    """Return the number of a text in a table of texts, adding it if it is new."""
    value = hash_of(at, size)
    slot = slot_of(table, value, at, size)
    entry = load32(slot) - 1
    return entry if entry >= 0 else add_text(table, slot, value, at, size)


@inlined
def intern_path(table, at, size):
    """Return the number of a path as it may be kept; what it isn't proven how to mask is marked as dirty."""
    value = hash_of(at, size)
    slot = slot_of(table, value, at, size)
    entry = load32(slot) - 1
    if entry >= 0:
        return entry
    out = load64(table + 8 * ARENA)
    # masking a segment makes it at most seven bytes long, and there may be one every other byte
    masked = mask_path(at, size, out) if out + 4 * size + PADDING <= load64(table + 8 * ARENA_END) else -1
    if masked < 0:
        entry = add_text(table, slot, value, at, size)
        store64(load64(table + 8 * ENTRIES) + 16 * entry + 8, -size)
        return entry
    if masked != size or not same_text(at, out, size):
        value = hash_of(out, masked)
        slot = slot_of(table, value, out, masked)
        entry = load32(slot) - 1
        if entry >= 0:
            return entry
    store64(table + 8 * ARENA, out + masked)  # texts that lie together are found faster than all over the block
    return add_text(table, slot, value, out, masked)


@inlined
def take_target(frame, line, at, end):
    """Take the path and the authority of a request's target; False if it isn't proven what they are."""
    path = at
    if load8(at) != 47:
        scheme = load64(at)
        if (scheme & 0xFFFFFFFFFFFFFF) == 0x2F2F3A70747468:  # http://
            path = at + 7
        elif scheme == 0x2F2F3A7370747468:  # https://
            path = at + 8
        else:
            return False
        begin = path
        mask = authority_ends(path)
        while mask == 0:
            path += 32
            if path >= end:
                return False
            mask = authority_ends(path)
        path += first_set(mask)
        if path >= end or load8(path) != 47:
            return False
        if load64(frame + 8 * AUTHORITY):
            for p in range(begin, path):
                if load8(p) == 64:
                    return False
            number = intern(load64(frame + 8 * HOST_TEXTS), begin, path - begin)
            store32(line + HOSTS, number)
    cut = path
    mask = cuts(cut)
    while mask == 0 and cut < end:
        cut += 64
        mask = cuts(cut)
    if cut < end:
        cut += first_set(mask)
    cut = min(cut, end)
    number = intern_path(load64(frame + 8 * PATH_TEXTS), path, cut - path)
    store32(line + PATHS, number)
    return True


@inlined
def take_method(frame, line, at, size):
    """Take a method; False if it isn't a usual one."""
    if size > 7:
        return False
    word = (load64(at) & ((1 << (8 * size)) - 1)) | size << 56  # a NUL after it makes it another
    row = load64(frame + 8 * METHOD_TABLE)
    for n in range(load64(frame + 8 * METHOD_COUNT)):
        if load64(row) == word:
            store16(line + METHOD_NUMBERS, load64(row + 8))
            return True
        row += 16
    return False


@inlined
def take_request(frame, line, at, end):
    """Take `METHOD TARGET PROTOCOL`; False if it isn't proven what it is."""
    if at == end:
        return True
    first = load8(at)
    if first != 45 and (first < 65 or first > 90):
        return True  # it begins with no method, so nothing of it is kept
    if end - at == 1:
        return first == 45
    size = 0
    while size < 8 and load8(at + size) != 32:
        size += 1
    if not take_method(frame, line, at, size):
        return False
    target = at + size + 1
    stop = end - 9
    if stop > target and load8(stop) == 32:  # ' HTTP/d.d'
        protocol = load64(stop + 1)
        if (protocol & 0xFF00FFFFFFFFFF) != 0x2E002F50545448:
            return False
        major, minor = load8(stop + 6) - 48, load8(stop + 8) - 48
        if major < 0 or major > 9 or minor < 0 or minor > 9:
            return False
    else:
        stop = end - 7
        if stop <= target or load8(stop) != 32 or (load64(stop + 1) & 0xFFFFFFFFFF) != 0x2F50545448:
            return False
        major = load8(stop + 6) - 48
        if major < 0 or major > 9:
            return False
    return take_target(frame, line, target, stop)


@compiled
def take_duration(frame, line, at, end, scale):
    """Add a duration to the line's; False if it isn't proven what it is."""
    size = end - at
    if size == 0 or (size == 1 and load8(at) == 45):
        store64(line + MANTISSA, UNKNOWN)
        return True
    if load8(at) == 45:
        store64(line + MANTISSA, UNKNOWN)
        return size == 2 and load8(at + 1) == 49
    mantissa, places, p = 0, 0, at
    while p < end and 48 <= load8(p) <= 57:
        mantissa = mantissa * 10 + load8(p) - 48
        p += 1
        if p - at > 9:
            return False
    if p == at:
        return False
    if p < end and load8(p) == 46:
        p += 1
        begin = p
        while p < end and 48 <= load8(p) <= 57:
            mantissa = mantissa * 10 + load8(p) - 48
            p += 1
            if p - begin > 6:
                return False
        places = p - begin
        if places == 0:
            return False
    if end - p == 2 and load8(p) == 109 and load8(p + 1) == 115:
        scale = 3
    elif end - p == 2 and load8(p) == 117 and load8(p + 1) == 115:
        scale = 6
    elif end - p == 1 and load8(p) == 115:
        scale = 0
    elif p != end:
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
        if total >= 1_000_000_000_000_000:
            return False
    while places < of_total:
        mantissa *= 10
        places += 1
        if mantissa >= 1_000_000_000_000_000:
            return False
    if mantissa + total >= 1_000_000_000_000_000:
        return False
    store64(line + MANTISSA, total + mantissa)
    store64(frame + 8 * PLACES, places)
    return True


@compiled
def take_upstream_status(frame, line, at, end):
    """Take the status of one upstream; False if it isn't just one."""
    size = end - at
    if size == 0 or (size == 1 and load8(at) == 45):
        value = -1
    elif size == 3:
        hundreds, rest = load8(at) - 48, two_digits(at + 1)
        if hundreds < 0 or hundreds > 5 or rest < 0:
            return False
        value = hundreds * 100 + rest
    else:
        return False
    store16(line + UPSTREAM, value)
    return True


@compiled
def is_single(at, end):
    """Tell whether a list has at most one element."""
    for p in range(at, end):
        if load8(p) == 44 or load8(p) == 32:
            return False
    return True


@inlined
def take(frame, line, role, scale, at, end):
    """Take what a field holds; False if it isn't proven what it means."""
    if role == TIME:
        if end - at == 26 and (same_bytes(at, frame + 8 * LAST_TIME) & 0x3FFFFFF) == 0x3FFFFFF:
            store64(line + TIMES, load64(frame + 8 * LAST_MICROSECONDS))
            return True
        value = any_time(frame, at, end)
        if value == NO_TIME:
            return False
        store64(line + TIMES, value)
        if end - at == 26:
            for n in range(0, 32, 8):
                store64(frame + 8 * LAST_TIME + n, load64(at + n))
            store64(frame + 8 * LAST_MICROSECONDS, value)
        return True
    if role == STATUS:
        if end - at != 3:
            return False
        hundreds, rest = load8(at) - 48, two_digits(at + 1)
        if rest < 0 or hundreds < 1 or hundreds > 5:
            if hundreds != 0 or rest != 0 or not load64(frame + 8 * ZERO_STATUS):
                return False
        store16(line + STATUSES, hundreds * 100 + rest)
        return True
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
        if end == at or (end - at == 1 and load8(at) == 45):
            return True
        return take_target(frame, line, at, end)
    if role == METHOD:
        return (end - at == 1 and load8(at) == 45) or take_method(frame, line, at, end - at)
    if role == USER_AGENT:
        number = intern(load64(frame + 8 * AGENT_TEXTS), at, end - at)
        store32(line + AGENTS, number)
        return True
    if role == HOST:
        number = intern(load64(frame + 8 * HOST_TEXTS), at, end - at)
        store32(line + HOSTS, number)
        return True
    if role == DURATION:
        return take_duration(frame, line, at, end, scale)
    if role == UPSTREAM_STATUS:
        store8(line + RETRIED, 0)
        return take_upstream_status(frame, line, at, end)
    if role == UPSTREAMS:
        store8(line + RETRIED, 0)
        return is_single(at, end)
    if role == DATE:
        store64(line + DATE_AT, at)
        return end - at == 10
    if role == CLOCK:
        day = load64(line + DATE_AT)
        if day == 0:
            return False
        value = iso_time(frame, iso_day(frame, day), at, end, True)
        store64(line + TIMES, value)
        return value != NO_TIME
    return True


@inlined
def begin_line(line, at):
    """Set what a line is before anything is known of it; `at` is where in the block it begins."""
    store64(line + TIMES, NO_TIME)
    store64(line + SIZES, -1)
    store64(line + DURATIONS, NOT_A_NUMBER)
    store32(line + STARTS, at)
    store32(line + PATHS, -1)
    store64(line + HOSTS, -1)  # and of agents
    store64(line + METHOD_NUMBERS, -1)  # and of statuses, upstream, retried and codes
    store64(line + DATE_AT, 0)
    store64(line + MANTISSA, NONE_YET)


@inlined
def is_whole(frame, line):
    """Tell whether a line had all that a request needs, and set its duration."""
    mantissa, places = load64(line + MANTISSA), load64(frame + 8 * PLACES)
    if mantissa >= 0:
        power = 1
        for _ in range(places):
            power *= 10
        store_float(line + DURATIONS, mantissa / power)
    return load64(line + TIMES) != NO_TIME and load16(line + STATUSES) != 0xFFFF


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
    """Note where a wanted value is; False if there was one already."""
    slot = load64(frame + 8 * FOUND) + 8 * VALUE_ROW * index
    if load64(slot):
        return False
    store64(slot + 8 * VALUE_AT, at)
    store64(slot + 8 * VALUE_END, end)
    store64(slot + 8 * VALUE_KIND, kind)
    return True


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
        if kind == NUMBER:
            if role != TIME and role != STATUS and role != RESPONSE_BYTES and role != DURATION:
                if role != UPSTREAM_STATUS:
                    return False
            if role == TIME and load8(at + 10) == 46 and end - at > 14:
                return False  # more digits than a number surely keeps
        if not take(frame, line, role, load64(key + 8 * KEY_SCALE), at, end):
            return False
    return is_whole(frame, line)


@compiled
def after_spaces(at):
    """Return the address of the first byte that is no space."""
    while load8(at) == 32:
        at += 1
    return at


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
        if byte != 92:
            return 0
        byte = load8(at + 1)
        # quote, backslash, slash, b, f, n, r, t
        if byte != 34 and byte != 92 and byte != 47 and byte != 98 and byte != 102:
            if byte != 110 and byte != 114 and byte != 116:
                return 0
        sign = -1
        at += 2


@compiled
def json_number_end(at):
    """Return where a number ends that begins here, 0 if it is none or not a simple one."""
    p = at + 1 if load8(at) == 45 else at
    begin = p
    while 48 <= load8(p) <= 57:
        p += 1
    if p == begin or p - begin > 18 or (load8(begin) == 48 and p - begin > 1):
        return 0
    if load8(p) == 46:
        p += 1
        begin = p
        while 48 <= load8(p) <= 57:
            p += 1
        if p == begin or p - begin > 18:
            return 0
    if load8(p) == 101 or load8(p) == 69:
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
    return json_number_end(at)


@compiled
def json_key_end(at):
    """Return where the value begins whose key begins here, 0 if it isn't proven."""
    if load8(at) != 34:
        return 0
    end = json_text_end(at + 1)
    if end == 0:
        return 0
    at = after_spaces(abs(end) + 1)
    return after_spaces(at + 1) if load8(at) == 58 else 0


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
            at = after_spaces(at + 1)
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
            at = after_spaces(at)
            byte = load8(at)
            if byte == 44:
                at = after_spaces(at + 1)
                if objects & 1:
                    at = json_key_end(at)
                if at == 0:
                    return 0
                break
            is_closed = byte == (125 if objects & 1 else 93)
            if not is_closed:
                return 0


@compiled
def json_object(frame, at):
    """Find the wanted values of an object; return what follows it, or 0 if it isn't proven what it has."""
    if load8(at) != 123:
        return 0
    p, position = at + 1, 0
    while True:
        p = after_spaces(p)
        if load8(p) != 34:
            return 0
        end = json_text_end(p + 1)
        if end <= 0:
            return 0
        index = key_index(frame, position, p + 1, end - p - 1)
        position += 1
        p = after_spaces(end + 1)
        if load8(p) != 58:
            return 0
        p = after_spaces(p + 1)
        byte = load8(p)
        if byte == 34:
            end = json_text_end(p + 1)
            if end == 0 or (index >= 0 and (end < 0 or not note_value(frame, index, TEXT, p + 1, end))):
                return 0
            p = abs(end) + 1
        elif byte == 123 or byte == 91:
            if index >= 0:
                return 0
            p = json_nested_end(p)
        else:
            end = json_scalar_end(p)
            if index >= 0 and end:
                kind = NULL if byte == 110 else NUMBER
                if byte == 116 or byte == 102 or not note_value(frame, index, kind, p, end):
                    return 0
            p = end
        if p == 0:
            return 0
        p = after_spaces(p)
        byte = load8(p)
        p += 1
        if byte == 125:
            return p
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
                note_value(frame, prefix, TEXT, begin, p)  # the first counts
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
                    for q in range(begin, p):
                        if load8(q) == 92:
                            return 0
                    if not note_value(frame, index, TEXT, begin, p):
                        return 0
                p += 1
            else:
                mask = bare_ends(p)
                while mask == 0:
                    p += 32
                    mask = bare_ends(p)
                p += first_set(mask)
                if index >= 0 and not note_value(frame, index, NULL if p == begin else TEXT, begin, p):
                    return 0
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
    p = json_object(frame, at) if is_json else logfmt_pairs(frame, at)
    if p == 0:
        return 0
    if load8(p) == 13:
        p += 1
    return p if take_values(frame, line) else 0


@inlined
def has_room(frame, texts):
    """Tell whether a table of texts has room for those of one more line."""
    table = load64(frame + 8 * texts)
    return load64(table + 8 * COUNT) < load64(table + 8 * ENOUGH)


@compiled
def take_apart(frame, at, stop, shape):
    """Take lines apart.

    Returns:
        The address of the first line that there was no room for, or `stop`; the number of lines is in the frame.
    """
    first = line = load64(frame + 8 * ROWS)
    room = line + 64 * load64(frame + 8 * LINES)
    block = at
    while at < stop and line < room:
        if not (has_room(frame, PATH_TEXTS) and has_room(frame, HOST_TEXTS) and has_room(frame, AGENT_TEXTS)):
            break
        begin_line(line, at - block)
        if shape == DELIMITED:
            p = delimited_line(frame, line, at)
        else:
            p = keyed_line(frame, line, at, shape == JSON)
        proven = p != 0 and load8(p) == 10 and p + 1 - at <= MAX_LINE_BYTES
        if not proven:
            p = line_end(at)
        store8(line + CODES, PROVEN if proven else UNDECIDED)
        at = min(p + 1, stop)
        line += 64
    store64(frame + 8 * LINES, (line - first) // 64)
    return at


@compiled
def gather(entries, count, offsets, texts):
    """Copy the texts of entries to one place after another.

    Where each begins is written to `offsets`, and in the end how many bytes they are.
    """
    size = 0
    for n in range(count):
        store32(offsets + 4 * n, size)
        entry = entries + 16 * n
        length = abs(load64(entry + 8))
        copy(load64(entry), length, texts + size)  # and more, which the next text is written over
        size += length
    store32(offsets + 4 * count, size)


@compiled
def run(task, one, two, three, four):
    """Do what a task's number says, so that all of the kernel is one function."""
    if task == GATHER:
        gather(one, two, three, four)
        return 0
    return take_apart(one, two, three, task)
