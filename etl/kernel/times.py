"""Timestamps at addresses; see etl.lines.timestamps."""

from etl.kernel.intrinsics import load8, load16, load32, load64, store64
from etl.kernel.layout import LAST_DATE, LAST_DAY, NAIVE_IS_UTC, NO_TIME, ZONE_DAYS, ZONE_OFFSETS
from etl.kernel.texts import compiled, two_digits

IN_UTC, SLASHED, AS_CLF, AS_ISO = range(4)  # which offset a time of day may have


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
def clf_day(at):
    """Return days since 1970-01-01 of `17/May/2015`, NO_TIME if it isn't written so."""
    if load8(at + 2) != 47 or load8(at + 6) != 47:
        return NO_TIME
    return day_number(two_digits(at + 7) * 100 + two_digits(at + 9), month_number(at + 3), two_digits(at))


@compiled
def clf_time(at):
    """Return microseconds since 1970 of `17/May/2015:10:05:03 +0000`, NO_TIME if it isn't written so."""
    if load8(at + 11) != 58 or load8(at + 20) != 32:
        return NO_TIME
    days = clf_day(at)
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
def offset_of(at, end):
    """Return the seconds of an offset as `+02`, `+0200` or `+02:00`, NO_TIME if it isn't written so."""
    sign, hours, minutes = load8(at), two_digits(at + 1), 0
    if sign != 43 and sign != 45:
        return NO_TIME
    if end - at == 6 and load8(at + 3) == 58:
        minutes = two_digits(at + 4)
    elif end - at == 5:
        minutes = two_digits(at + 3)
    elif end - at != 3:
        return NO_TIME
    if hours < 0 or hours > 14 or minutes < 0 or minutes > 59:
        return NO_TIME
    return (hours * 3600 + minutes * 60) * (1 if sign == 43 else -1)


@compiled
def local_seconds(frame, day, seconds):
    """Return seconds since 1970 in UTC of what clocks show on a day, NO_TIME if they are changed around then."""
    days = load64(frame + 8 * ZONE_DAYS)
    if day < 0 or day >= days:
        return NO_TIME
    offsets = load64(frame + 8 * ZONE_OFFSETS)
    offset = load64(offsets + 8 * day)
    if offset == NO_TIME:
        return NO_TIME
    found = day * 86_400 + seconds - offset
    in_utc = found // 86_400
    if in_utc < 1 or in_utc >= days - 1:
        return NO_TIME
    at = offsets + 8 * in_utc
    # see etl.lines.passes: the order of lines counts on the day of a change, the one before and the one after
    if load64(at - 8) != offset or load64(at) != offset or load64(at + 8) != offset:
        return NO_TIME
    return found


@compiled
def clock_time(frame, day, at, end, style):
    """Return microseconds since 1970 of a day and `HH:MM:SS[.f][offset]`, NO_TIME if it isn't written so.

    Args:
        frame: What the kernel keeps.
        day: The day, NO_TIME for none.
        at: Where the time of day begins.
        end: Where the text ends.
        style: Which offset may follow: IN_UTC or SLASHED for none, AS_CLF for one after a space, AS_ISO for any.
    """
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
    if p == end:
        if style != IN_UTC and not load64(frame + 8 * NAIVE_IS_UTC):
            found = local_seconds(frame, day, seconds)
            return NO_TIME if found == NO_TIME else found * 1_000_000 + micros
    elif style == AS_CLF:
        offset = offset_of(p + 1, end) if load8(p) == 32 and end - p == 6 else NO_TIME
    elif style == AS_ISO:
        p += 1 if load8(p) == 32 else 0
        is_utc = end - p == 1 and (load8(p) == 90 or load8(p) == 122)
        offset = 0 if is_utc else offset_of(p, end)
    else:
        return NO_TIME
    return NO_TIME if offset == NO_TIME else (day * 86_400 + seconds - offset) * 1_000_000 + micros


@compiled
def epoch_time(at, end):
    """Return microseconds since 1970 of 10 digits with or without a fraction, or 13, 16 or 19 digits."""
    value, p = 0, at
    while p < end and 48 <= load8(p) <= 57 and p - at < 19:
        value = value * 10 + load8(p) - 48
        p += 1
    if p == end:
        if p - at == 19:
            return value // 1000 if value >= 0 else NO_TIME
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
def json_time(frame, at, end):
    """Return microseconds since 1970 of a number of JSON, NO_TIME if it isn't proven which they are.

    A number with a fraction is one of 64 bits, of whose shortest form the first six decimal places count.
    """
    decimals = end - at - 11
    if decimals < 6 or load8(at + 10) != 46:
        return any_time(frame, at, end)
    seconds = whole_number(at, 10)
    if decimals > 9 or not 1 << 30 <= seconds < 1 << 31:
        return NO_TIME
    power = 1
    for _ in range(decimals):
        power *= 10
    # such a number is a multiple of 2**-22: the nearest one, to which a whole microsecond may be the shortest form
    nearest = ((whole_number(at + 11, decimals) << 23) + power) // (2 * power)
    micros = ((nearest * 1_000_000 << 1) + (1 << 22)) >> 23
    if 2 * abs((micros << 22) - nearest * 1_000_000) >= 1_000_000:
        micros = (((nearest * 10_000_000 << 1) + (1 << 22)) >> 23) // 10  # or else seven places are
    return seconds * 1_000_000 + micros


@compiled
def whole_number(at, digits):
    """Return the number that so many digits are; they are known to be digits."""
    value = 0
    for p in range(at, at + digits):
        value = value * 10 + load8(p) - 48
    return value


@compiled
def slashed_day(at):
    """Return days since 1970-01-01 of `YYYY/MM/DD`, NO_TIME if it isn't written so."""
    if load8(at + 4) != 47 or load8(at + 7) != 47:
        return NO_TIME
    return day_number(two_digits(at) * 100 + two_digits(at + 2), two_digits(at + 5), two_digits(at + 8))


@compiled
def any_time(frame, at, end):
    """Return microseconds since 1970 of a timestamp with a year in any of the ways of writing it, else NO_TIME."""
    size = end - at
    if size >= 19 and load8(at + 4) == 45:
        if load8(at + 10) != 84 and load8(at + 10) != 32:
            return NO_TIME
        return clock_time(frame, iso_day(frame, at), at + 11, end, AS_ISO)
    if size >= 20 and load8(at + 2) == 47:
        if size == 26 and load8(at + 20) == 32 and load8(at + 11) == 58:
            return clf_time(at)
        if load8(at + 11) != 58 and load8(at + 11) != 32:
            return NO_TIME
        return clock_time(frame, clf_day(at), at + 12, end, AS_CLF)
    if size >= 19 and load8(at + 4) == 47:
        at += 10
        if load8(at) != 32:
            return NO_TIME
        clock = at + 3 if load16(at + 1) == 0x202D else at + 1  # after ' - '
        return clock_time(frame, slashed_day(at - 10), clock, end, SLASHED)
    return epoch_time(at, end)
