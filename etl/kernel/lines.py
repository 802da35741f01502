"""The kernel: from lines at an address to the columns of a batch.

It reads and writes at raw addresses, since a bounds check or a reference count a byte would cost more than the
work. Three rules keep that safe: a block is followed by PADDING bytes of which the first is a line feed, so that
every scan ends; nothing is read beyond them; and no line is begun for which there might be no room.
"""

from etl.kernel.delimited import apache_line, delimited_line, line_end, misshapen
from etl.kernel.envelopes import unwrap
from etl.kernel.fields import begin_line
from etl.kernel.intrinsics import (
    bits_set,
    line_feeds,
    load8,
    load16,
    load32,
    load64,
    prefetch,
    store8,
    store16,
    store32,
    store64,
)
from etl.kernel.keyed import cut_off, keyed_line
from etl.kernel.layout import (
    AGENT_TEXTS,
    AGENTS,
    ARENA,
    ARENA_END,
    BLANK,
    BLOCK,
    COLUMNS,
    COUNT,
    COUNT_LINES,
    DELIMITED,
    DURATIONS,
    EARLIEST,
    ELSEWHERE,
    ELSEWHERE_COUNT,
    ELSEWHERE_ROOM,
    ELSEWHERE_ROW,
    ENOUGH,
    ENTRIES,
    FAR,
    FLAW,
    FLAWED_TIME,
    GATHER,
    HOST_TEXTS,
    HOSTS,
    INTERN,
    JSON,
    LATEST,
    LINE_COUNT,
    LINE_END,
    LINE_ROOM,
    LINE_ROW,
    LONGEST_KEPT,
    LONGEST_PATH,
    MASK,
    MAX_LINE_BYTES,
    METHOD_NUMBERS,
    NO_ID,
    NO_TIME,
    OTHER_AT,
    OTHER_CODE,
    OTHER_COUNT,
    OTHER_END,
    OTHER_LINE_END,
    OTHER_NUMBER,
    OTHER_ROOM,
    OTHER_ROW,
    OTHER_TEXT_END,
    OTHER_TEXTS,
    OTHER_TIME,
    OTHERS,
    PADDING,
    PATH_AT,
    PATH_BYTES,
    PATH_HASH,
    PATH_TEXTS,
    RETRIED,
    RING,
    RING_LINES,
    ROW_COUNT,
    SHORTCUT,
    SHOW,
    SIZES,
    STATUSES,
    TIMES,
    UNWANTED,
    UNWRAP,
    UPSTREAM,
    WANTED,
)
from etl.kernel.masks import intern_path
from etl.kernel.rejects import show
from etl.kernel.texts import compiled, copy, gather, inlined, intern_all


@inlined
def has_room(frame, texts, count, size):
    """Tell whether a table of texts has room for so many more, of so many bytes in all."""
    table = load64(frame + 8 * texts)
    is_free = load64(table + 8 * ARENA) + size <= load64(table + 8 * ARENA_END)
    return is_free and load64(table + 8 * COUNT) + count <= load64(table + 8 * ENOUGH)


@inlined
def is_blank(at):
    """Tell whether a line has nothing but its end."""
    byte = load8(at)
    return byte == 10 or (byte == 13 and load8(at + 1) == 10)


@inlined
def line_taken(frame, line, at, shape):
    """Take a line apart; return where it ends, or 0 if it isn't proven what it is."""
    begin_line(line)
    if shape == DELIMITED:
        shortcut = load64(frame + 8 * SHORTCUT)
        p = apache_line(frame, line, at, shortcut) if shortcut else 0
        if p == 0:
            begin_line(line)
            p = delimited_line(frame, line, at)
    else:
        p = keyed_line(frame, line, at, shape)
    return p if p != 0 and load8(p) == 10 and p + 1 - at <= MAX_LINE_BYTES else 0


@compiled
def add_rows(frame, count):
    """Add the lines in the ring to the batch, and intern their paths."""
    table = load64(frame + 8 * PATH_TEXTS)
    slots, mask, entries = load64(table), load64(table + 8 * MASK), load64(table + 8 * ENTRIES)
    first = load64(frame + 8 * RING)
    last = first + LINE_ROW * count
    for line in range(first, last, LINE_ROW):
        prefetch(entries + 16 * (load32(slots + 8 * (load64(line + PATH_HASH) & mask)) - 1))
    for line in range(first, last, LINE_ROW):
        entry = load32(slots + 8 * (load64(line + PATH_HASH) & mask))
        if entry:
            prefetch(load64(entries + 16 * (entry - 1)))
    columns, row = load64(frame + 8 * COLUMNS), load64(frame + 8 * ROW_COUNT)
    times, sizes, durations = load64(columns), load64(columns + 8), load64(columns + 16)
    paths, hosts, agents = load64(columns + 24), load64(columns + 32), load64(columns + 40)
    methods, statuses, upstream = load64(columns + 48), load64(columns + 56), load64(columns + 64)
    retried, ends = load64(columns + 72), load64(columns + 80)
    for line in range(first, last, LINE_ROW):
        path, number = load64(line + PATH_AT), NO_ID
        if path:
            number = intern_path(frame, path, load64(line + PATH_BYTES), load64(line + PATH_HASH))
        store64(times + 8 * row, load64(line + TIMES))
        store64(sizes + 8 * row, load64(line + SIZES))
        store64(durations + 8 * row, load64(line + DURATIONS))
        store32(paths + 4 * row, number)
        store32(hosts + 4 * row, load32(line + HOSTS))
        store32(agents + 4 * row, load32(line + AGENTS))
        store16(methods + 2 * row, load16(line + METHOD_NUMBERS))
        store16(statuses + 2 * row, load16(line + STATUSES))
        store16(upstream + 2 * row, load16(line + UPSTREAM))
        store8(retried + row, load8(line + RETRIED))
        store32(ends + 4 * row, load64(line + LINE_END))
        row += 1
    store64(frame + 8 * ROW_COUNT, row)


@compiled
def add_other(frame, number, at, end, code, time):
    """Add a line that has no row; False if there is no room for it."""
    count, out = load64(frame + 8 * OTHER_COUNT), load64(frame + 8 * OTHER_AT)
    if code == BLANK:
        size = 0
    else:
        size = end - at
    if count == load64(frame + 8 * OTHER_ROOM) or out + size + PADDING > load64(frame + 8 * OTHER_END):
        return False
    copy(at, size, out)
    row = load64(frame + 8 * OTHERS) + 8 * OTHER_ROW * count
    store64(row + 8 * OTHER_NUMBER, number)
    store64(row + 8 * OTHER_TEXT_END, out + size - load64(frame + 8 * OTHER_TEXTS))
    store64(row + 8 * OTHER_CODE, code)
    store64(row + 8 * OTHER_TIME, time)
    store64(row + 8 * OTHER_LINE_END, end - load64(frame + 8 * BLOCK))
    store64(frame + 8 * OTHER_AT, out + size)
    store64(frame + 8 * OTHER_COUNT, count + 1)
    return True


@inlined
def add_elsewhere(frame, number, time):
    """Add a request of a time that isn't wanted; False if there is no room for it."""
    count = load64(frame + 8 * ELSEWHERE_COUNT)
    if count == load64(frame + 8 * ELSEWHERE_ROOM):
        return False
    row = load64(frame + 8 * ELSEWHERE) + 8 * ELSEWHERE_ROW * count
    store64(row, number)
    store64(row + 8, time)
    store64(frame + 8 * ELSEWHERE_COUNT, count + 1)
    return True


@compiled
def take_lines(frame, at, stop, shape):
    """Add lines to the batch; return the address of the first for which there was no room, or `stop`."""
    ring, block = load64(frame + 8 * RING), load64(frame + 8 * BLOCK)
    count, room = load64(frame + 8 * LINE_COUNT), load64(frame + 8 * LINE_ROOM)
    earliest, latest = load64(frame + 8 * EARLIEST), load64(frame + 8 * LATEST)
    wanted, unwanted = load64(frame + 8 * WANTED), load64(frame + 8 * UNWANTED)
    is_full = False
    # the paths of a ring, as they may be kept, and what the last one takes until it is cut to that
    while not is_full and at < stop and has_room(frame, PATH_TEXTS, RING_LINES, (RING_LINES + 8) * LONGEST_PATH):
        taken, line = 0, ring
        while taken < RING_LINES and at < stop:
            if (
                count == room
                or not has_room(frame, HOST_TEXTS, 2, 4 * LONGEST_KEPT)
                or not has_room(frame, AGENT_TEXTS, 1, 2 * LONGEST_KEPT)
            ):
                is_full = True
                break
            p = 0 if is_blank(at) else line_taken(frame, line, at, shape)
            if p != 0 and wanted <= load64(line + TIMES) < unwanted:
                at = min(p + 1, stop)
                store64(line + LINE_END, at - block)
                taken += 1
                line += LINE_ROW
            elif p != 0 and earliest <= load64(line + TIMES) < latest:
                if not add_elsewhere(frame, count, load64(line + TIMES)):
                    is_full = True
                    break
                at = min(p + 1, stop)
            else:
                end = p or line_end(at)
                if is_blank(at):
                    code = BLANK
                elif p:
                    code = load64(line + FLAW) or FAR
                elif shape == JSON:
                    code = cut_off(frame, line, at, end)
                else:
                    code = misshapen(frame, line, at, end)
                if code == FAR:
                    time = load64(line + TIMES)
                else:
                    time = NO_TIME if code == BLANK else load64(line + FLAWED_TIME)
                end = min(end + 1, stop)
                if not add_other(frame, count, at, end, code, time):
                    is_full = True
                    break
                at = end
            count += 1
        add_rows(frame, taken)
    store64(frame + 8 * LINE_COUNT, count)
    return at


@compiled
def count_lines(at, size):
    """Return how many line feeds there are in so many bytes."""
    count, stop = 0, at + size
    while at + 64 <= stop:
        count += bits_set(line_feeds(at))
        at += 64
    while at < stop:
        count += load8(at) == 10
        at += 1
    return count


@compiled
def run(task, one, two, three, four, five):
    """Do what a task's number says, so that all of the kernel is one function."""
    if task == GATHER:
        gather(one, two, three, four)
    elif task == INTERN:
        intern_all(one, two, three, four, five)
    elif task == COUNT_LINES:
        return count_lines(one, two)
    elif task == UNWRAP:
        return unwrap(one, two, three, four, five)
    elif task == SHOW:
        show(one, two, three)
    else:
        return take_lines(one, two, three, task)
    return 0
