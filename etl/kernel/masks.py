"""Paths as they may be kept: what etl.lines.privacy says, byte by byte."""

from etl.kernel.intrinsics import (
    bits_set,
    dots_of,
    first_set,
    load8,
    load32,
    load64,
    no_digits,
    signs,
    slashes,
    store8,
    store64,
    unprintable,
)
from etl.kernel.layout import (
    ARENA,
    ENCODED_BYTES,
    LONGEST_PATH,
    MASKED_BYTES,
    PATH_TEXTS,
    SCRATCH,
)
from etl.kernel.texts import (
    add_text,
    compiled,
    copy,
    encoded,
    encoded_end,
    hash_of,
    hex_digit,
    inlined,
    same_text,
    slot_of,
)
from etl.kernel.times import month_number

CLF_DIGITS = sum(1 << place for place in (0, 1, 7, 8, 9, 10, 12, 13, 15, 16, 18, 19, 22, 23, 24, 25))
"""Where a timestamp of CLF has digits."""
# What is found in a segment: bytes to encode, signs to decode, or a reason to mask all of it or parts
UNPRINTABLE, DECODABLE, TOKEN, EMAIL, ADDRESS, NUMBER = 1, 2, 4, 8, 16, 32


@inlined
def is_digit(byte):
    """Tell whether a byte is a decimal digit."""
    return 48 <= byte <= 57


@inlined
def is_decoded(byte):
    """Tell whether an encoded byte is decoded before it is looked for something to mask: alphanumeric, @:._+-."""
    return (
        48 <= byte <= 58 or 64 <= byte <= 90 or 97 <= byte <= 122 or byte == 95 or byte == 43 or 45 <= byte <= 46
    )


@compiled
def look(at, size):
    """Return what a segment of a path holds that matters to who keeps it; ADDRESS and NUMBER are suspicions."""
    run = kinds = alphanumeric = hexadecimal = digits = dots = colons = groups = before = found = 0
    is_email = is_token = is_long = False
    end = at + size
    while at < end:
        c = load8(at)
        if 48 <= c <= 57:
            run += 1
            kinds |= 1
            alphanumeric += 1
            hexadecimal += 1
            digits += 1
            if digits >= 9:
                found |= NUMBER
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
            if c == 37:
                byte = encoded(at, end)
                if is_decoded(byte):
                    found |= DECODABLE
                is_email |= byte == 64
                colons += byte == 58
            elif c < 33 or c > 126:
                found |= UNPRINTABLE
            is_email |= c == 64
            dots += 1 if c == 46 and 48 <= before <= 57 else 0
            colons += c == 58
            run = kinds = alphanumeric = hexadecimal = digits = groups = 0
        is_token |= alphanumeric >= 20 or hexadecimal >= 16
        is_long |= run >= 20 and kinds == 7
        before = c
        at += 1
    if is_long or (is_token and not is_email):
        return found | TOKEN
    if is_email:
        return found | EMAIL
    return found | ADDRESS if dots >= 3 or colons >= 2 else found


@compiled
def ipv4_end(at, end):
    """Return where an IPv4 address ends that begins here, 0 if none does."""
    for n in range(4):
        begin = at
        while at < end and is_digit(load8(at)) and at - begin < 3:
            at += 1
        if at == begin:
            return 0
        if n < 3:
            if at == end or load8(at) != 46:
                return 0
            at += 1
    return at


@compiled
def ipv6_end(at, end):
    """Return where two to seven hexadecimal groups with their colons end that begin here, 0 if none do."""
    groups = 0
    last = at
    while True:
        at = last
        while at < end and hex_digit(load8(at)) >= 0 and at - last < 4:
            at += 1
        if groups == 7:
            return at
        if at < end and load8(at) == 58:
            last = at + 1
        elif at < end and load8(at) == 37 and encoded(at, end) == 58:
            last = encoded_end(at, end)
        else:
            return at if groups >= 2 else 0
        groups += 1


@compiled
def mask_addresses(at, size, out):
    """Write a text with its network addresses masked, and return the size of what was written."""
    end, begin = at + size, out
    while at < end:
        after = ipv4_end(at, end)
        if after == 0:
            after = ipv6_end(at, end)
        if after:
            store64(out, 0x737365726464617B)  # {address
            store8(out + 8, 125)
            out += 9
            at = after
        else:
            store8(out, load8(at))
            out += 1
            at += 1
    return out - begin


@compiled
def mask_numbers(at, size, out):
    """Write a text with its long numbers masked, and return the size of what was written."""
    n = written = 0
    while n < size:
        end, digits = n + 1, 1
        if is_digit(load8(at + n)):
            while end < size:
                c = load8(at + end)
                if is_digit(c):
                    end += 1
                elif (c == 43 or c == 45) and end + 1 < size and is_digit(load8(at + end + 1)):
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
def mask_text(at, size, found, out, scratch):
    """Write a printable text masked by what was found in it, and return the size of what was written."""
    if found & TOKEN:
        store64(out, 0x7D6E656B6F747B)  # {token}
        return 7
    if found & EMAIL:
        store64(out, 0x7D6C69616D657B)  # {email}
        return 7
    if found & ADDRESS:
        size = mask_addresses(at, size, scratch)
        return mask_numbers(scratch, size, out)
    if found & NUMBER:
        return mask_numbers(at, size, out)
    copy(at, size, out)
    return size


@compiled
def encode(at, size, out):
    """Write a text in printable ASCII, its other bytes percent-encoded, and return the size of that."""
    begin = out
    for p in range(at, at + size):
        c = load8(p)
        if c < 33 or c > 126:
            high, low = c >> 4, c & 15
            store8(out, 37)
            store8(out + 1, high + 48 if high < 10 else high + 55)
            store8(out + 2, low + 48 if low < 10 else low + 55)
            out += 3
        else:
            store8(out, c)
            out += 1
    return out - begin


@compiled
def decode(at, size, out):
    """Write a text with those of its signs decoded that may hide something, and return the size of that."""
    end, begin = at + size, out
    while at < end:
        c = load8(at)
        if c == 37:
            byte = encoded(at, end)
            if is_decoded(byte):
                c = byte
                at = encoded_end(at, end) - 1
        store8(out, c)
        out += 1
        at += 1
    return out - begin


@compiled
def mask_encoded(at, size, found, out, scratch):
    """Write a segment as `mask_segment` does, that holds something to encode or decode."""
    spare = scratch + 2 * ENCODED_BYTES
    if found & UNPRINTABLE:
        size = encode(at, size, scratch)
        at = scratch
        found = look(at, size)
    if found & DECODABLE:
        decoded = scratch + ENCODED_BYTES
        length = decode(at, size, decoded)
        written = mask_text(decoded, length, look(decoded, length), out, spare)
        if written != length or not same_text(decoded, out, length):
            return written
    return mask_text(at, size, found, out, spare)


@inlined
def segment_end(at, end):
    """Return where a segment of a path ends."""
    while at < end:
        mask = slashes(at)
        if mask:
            return min(at + first_set(mask), end)
        at += 64
    return end


@inlined
def is_plain(at, size):
    """Tell at a glance whether a segment holds nothing to mask; if not, it may still be so."""
    # shorter than any token; without its signs there is no e-mail address, and no other address without three dots
    if size > 15:
        return False
    chosen = (1 << size) - 1
    if (unprintable(at) | signs(at)) & chosen:
        return False
    return bits_set(~no_digits(at) & chosen) < 9 and bits_set(dots_of(at) & chosen) < 3


@compiled
def mask_path(at, size, out, scratch):
    """Write a path as it may be kept, and return the size of what was written; see privacy.clean_path."""
    end, first = at + size, out
    while True:
        stop = segment_end(at, end)
        size = stop - at
        if is_plain(at, size):
            store64(out, load64(at))
            store64(out + 8, load64(at + 8))
            out += size
        else:
            found = look(at, size)
            if found & (UNPRINTABLE | DECODABLE):
                out += mask_encoded(at, size, found, out, scratch)
            else:
                out += mask_text(at, size, found, out, scratch + 2 * ENCODED_BYTES)
        if stop == end or out - first >= LONGEST_PATH:
            return min(out - first, LONGEST_PATH)
        store8(out, 47)
        out += 1
        at = stop + 1


@inlined
def intern_path(frame, at, size, value):
    """Return the number of a path, of that hash, as it may be kept."""
    table = load64(frame + 8 * PATH_TEXTS)
    slot = slot_of(table, value, at, size)
    entry = load32(slot) - 1
    if entry >= 0:
        return entry
    scratch = load64(frame + 8 * SCRATCH)
    room = load64(table + 8 * ARENA)
    out = room if size <= LONGEST_PATH else scratch + 2 * ENCODED_BYTES + MASKED_BYTES
    masked = mask_path(at, size, out, scratch)
    if masked != size or not same_text(at, out, size):
        value = hash_of(out, masked)
        slot = slot_of(table, value, out, masked)
        entry = load32(slot) - 1
        if entry >= 0:
            return entry
        if out != room:
            copy(out, masked, room)
    return add_text(table, slot, value, room, masked)


@compiled
def clf_end(at, end):
    """Return where a timestamp as `17/May/2015:10:05:03 +0000` ends that begins here, 0 if none does."""
    if end - at < 26 or no_digits(at) & CLF_DIGITS or month_number(at + 3) == 0:
        return 0
    if load8(at + 2) != 47 or load8(at + 6) != 47 or load8(at + 11) != 58 or load8(at + 14) != 58:
        return 0
    sign = load8(at + 21)
    return at + 26 if load8(at + 17) == 58 and load8(at + 20) == 32 and (sign == 43 or sign == 45) else 0
