"""What the kernel and its caller agree on: codes, and how programs, lines, frames and tables lie in memory."""

import numpy as np

PADDING = 256
MAX_LINE_BYTES = 1 << 20
NO_TIME = np.iinfo(np.int64).min
NO_ID = -1

# How a field is written: up to its terminator as a bare word; likewise, or an IPv6 address in brackets; likewise,
# but quotes and brackets are letters as any; as a word that may be one of a list; in quotes; in brackets; in
# brackets, and read as a time
WORD, ADDRESS, PLAIN, LIST, QUOTED, BRACKETED, STAMP = range(7)
# Likewise, more seldom: no field; none, but any number of spaces; as words up to a tab or a bar, and the spaces
# that its literal has before that; as little of anything as fits; and in quotes, or else a dash without them
NOTHING, SPACES, WORDS, NAMELESS, DASHED = range(7, 12)
USER = 12  # a user name, which may hold spaces; LAST says whether what follows can't be part of it
# What a field is read for
IGNORED, TIME, DATE, CLOCK, REQUEST, METHOD, TARGET, STATUS, RESPONSE_BYTES, DURATION = range(10)
UPSTREAM_STATUS, UPSTREAMS, HOST, USER_AGENT, BESIDE = range(10, 15)

# A program's row: the literal before the field (its length, a mask of so many bytes, and the bytes), how the
# field is written, the byte that ends it, what it is read for, the decimal places of its unit, and how many spaces
# belong to that end
LITERAL_BYTES, LITERAL_MASK, LITERAL, KIND, END, LAST, ROLE, SCALE, BACK, ROW = range(10)

# What is found out of a line until its batch has it: a row of two cache lines. The last ones say where the date
# is, the sum of the durations, where the path is, its size and its hash, and where in the block the line ends
TIMES, SIZES, DURATIONS, HOSTS, AGENTS, METHOD_NUMBERS, STATUSES, UPSTREAM, RETRIED = (
    0,
    8,
    16,
    24,
    28,
    32,
    34,
    36,
    38,
)
DATE_AT, MANTISSA, PATH_AT, PATH_BYTES, PATH_HASH, LINE_END = range(40, 88, 8)
FLAW, FLAWED_TIME = 88, 96  # why it is a reject, if that is proven, and the time that it has all the same
LINE_ROW, RING_LINES = 128, 32  # the bytes of a row, and how many lines there are before their paths are interned
NOT_A_NUMBER = 0x7FF8000000000000
NONE_YET, UNKNOWN = -1, -2  # of a line's durations

# The frame: what the kernel is given and keeps, one 64-bit number each
RING = 0  # the address of the lines' rows
PROGRAM, FIELDS, EXTRA = 1, 2, 3
METHOD_TABLE, METHOD_COUNT = 4, 5
ZERO_STATUS, NAIVE_IS_UTC, AUTHORITY = 6, 7, 8
PATH_TEXTS, HOST_TEXTS, AGENT_TEXTS = 9, 10, 11  # addresses of interning tables
LAST_TIME, LAST_TIME_BYTES, LAST_MICROSECONDS = 12, 16, 17  # the line before: up to 32 bytes, and what they meant
LAST_DATE, LAST_DAY = 18, 20
PLACES = 21  # decimal places of the line's durations
# For lines of keys and values: what is wanted, as many rows as FIELDS; where in the line it is; the names of the
# line before, as the same ones are expected; and which field is a time that stands before the names
KEYS, FOUND, EXPECTED, PREFIX = 22, 23, 24, 25
# The batch: the address of the addresses of its columns, how many rows and lines it has, and how many lines it may
# have. Of the lines that have no row: the address of their rows, how many there are and may be, and where the next
# one's text is put and the room for them ends
COLUMNS, ROW_COUNT, LINE_COUNT, LINE_ROOM = 26, 27, 28, 29
OTHERS, OTHER_COUNT, OTHER_ROOM, OTHER_TEXTS, OTHER_AT, OTHER_END = 30, 31, 32, 33, 34, 35
BLOCK = 36  # the address from which the ends of lines count
EARLIEST, LATEST = 37, 38  # the first time that a request may have, and the first one after it
SCRATCH = 39  # the address of SCRATCH_BYTES to clean a path in, and to keep what strings of JSON stand for
SHORTCUT = 40  # whether the lines are those of Apache: NONE, or the fields before and after those of `common`
NONE, COMMON, COMBINED, VHOST_COMBINED = range(4)
WANTED, UNWANTED = 41, 42  # the first time of which a request has a row, and the first one after it
# Of the requests that are of other times: the address of their rows, each of a number in the batch and a time, and
# how many there are and may be
ELSEWHERE, ELSEWHERE_COUNT, ELSEWHERE_ROOM = 43, 44, 45
ELSEWHERE_ROW = 2
# Likewise for lines of keys and values: how many fields and objects may be found; the names by which they are
# known, and by size the number of the first one; of each object which row of FOUND has the first element of an
# array in its place, -1 if none; whether of several durations the first counts; and where the next text without
# its escapes is put and the room for them ends
FINDABLE, NAMES, NAME_SIZES, ELEMENTS, FIRST_DURATION, UNESCAPED_AT, UNESCAPED_END = range(46, 53)
STRICT = 53  # whether durations are only read as formats.READABLE has them
# Whether lists without quotes may have several elements, and whether words of syslog may stand before the fields
LISTS, PREFIXED = 54, 55
# Of the time zone of times without an offset: the address of its offsets in seconds, one for each UTC day from
# 1970 on, NO_TIME for days on which it changes, and of how many days there are any
ZONE_OFFSETS, ZONE_DAYS = 56, 57
FRAME = 58

# The columns of a batch, in the order of their addresses: one number for each row
COLUMN_TYPES = {
    "times": "i8",
    "sizes": "i8",
    "durations": "f8",
    "paths": "i4",
    "hosts": "i4",
    "agents": "i4",
    "methods": "i2",
    "statuses": "i2",
    "upstream": "i2",
    "retried": "i1",
    "ends": "i4",
}
# A line that has no row: its number in the batch, where in OTHER_TEXTS its text ends, what is known of it, where
# in the block it ends, and its time, which of undecided ones is not known yet
OTHER_NUMBER, OTHER_TEXT_END, OTHER_CODE, OTHER_LINE_END, OTHER_TIME, OTHER_ROW = range(6)
UNDECIDED, BLANK, FAR = range(3)  # FAR: a request, too far from the file's day
BAD_STATUS, BAD_TIME, BAD_SHAPE = range(3, 6)  # the later, the stronger, as in etl.lines.parse

# A method's row: its text's address and size, and its number
METHOD_AT, METHOD_BYTES, METHOD_NUMBER, METHOD_ROW = range(4)

LONGEST_KEPT = 1 << 16  # bytes of a host, a user agent or a path before it is cleaned
LONGEST_PATH = 1000  # bytes of one that is
# Percent-encoding makes a byte three, and the shortest address, `::`, becomes `{address}`
ENCODED_BYTES, MASKED_BYTES = 3 * LONGEST_KEPT + PADDING, 5 * LONGEST_KEPT + PADDING
# What strings with escapes stand for: a slot for each line of the ring, since its path is interned later
UNESCAPED, SLOT_BYTES = 2 * ENCODED_BYTES + 2 * MASKED_BYTES, LONGEST_KEPT + PADDING
SCRATCH_BYTES = UNESCAPED + RING_LINES * SLOT_BYTES

# A key's row: what its value is read for, the decimal places of its unit, and whether a dash is none
KEY_ROLE, KEY_SCALE, KEY_DASHES, KEY_ROW = range(4)
# A name's row: its text's address and size, the object that it is in (0 for the line's own), and the row of FOUND
# that has its value; those behind the fields' are the objects' that values may be in, from 1. A path of keys has a
# name in each object on the way to it, since keys may be nested or dotted. Names ascend by size
NAME_AT, NAME_BYTES, NAME_IN, NAME_INDEX, NAME_ROW = range(5)
LONGEST_NAME = 63  # of which NAME_SIZES has a number; longer ones come last
MOST_OBJECTS, DEEPEST = 255, 7  # of those that values may be in
# A value that was found: its begin and end, and what it is; an address of 0 if there is none
VALUE_AT, VALUE_END, VALUE_KIND, VALUE_ROW = range(4)
TEXT, NUMBER, NULL = range(3)
# An expected name: its text, its size (-1 if none is), the row of FOUND, -1 if nobody wants it, and what it is in
EXPECTED_BYTES, EXPECTED_KEY, EXPECTED_IN, EXPECTED_ROW, EXPECTED_ROWS = 8, 9, 10, 11, 64
LONGEST_EXPECTED = 56
MOST_CORRECTED = 40_000  # bytes of a line in which values without quotes are read; see etl.lines.parse

# An interning table: the addresses of its slots and entries, the slots' number less one, the entries' number, with
# how many of them no further line is begun, and where the next text is put and the room for them ends. A slot has
# the upper half of the hash, and the entry's number from 1; an entry has its text's address and its size
SLOTS, MASK, ENTRIES, COUNT, ENOUGH, ARENA, ARENA_END, TABLE = range(8)

# What the kernel can do: take lines of one of these shapes apart, copy a table's texts, intern texts that are as
# they may be kept, count line feeds, take envelopes off,
# mask lines that have no row and find their statuses
DELIMITED, JSON, LOGFMT, LTSV, GATHER, INTERN, COUNT_LINES, UNWRAP, SHOW = range(9)

# What lines are wrapped in: which envelope; of an object, the address and the size of the key that has the line,
# and whether its text has to have a line end
WRAPPED_IN, WRAPPED_KEY, WRAPPED_KEY_BYTES, WRAPPED_ENDED, WRAPPED = range(5)
CRI_PREFIX, SYSLOG_PREFIX, TIME_PREFIX, OBJECT = range(4)

# Lines of which a mask and a status are kept: the address of their texts, of where each begins (32 bits), and how
# many there are; where the masked ones are put, where each of those ends, and what is doubtful of each, a byte.
# Then how a time is found in its place, and a status: in lines of which shape, NO_SHAPE for none; by how many rows
# of a program or of names, and their address; and whether there is none where it isn't found so. What ends a time,
# whether it may hold spaces, and where one was found. And the literal before a status, if it also counts behind a
# request that is the first text in quotes, and whether no other text before it can be that, but for an empty name
SHOWN_TEXTS, SHOWN_OFFSETS, SHOWN_COUNT, SHOWN_MASKED, SHOWN_BOUNDS, SHOWN_DOUBTS = range(6)
SHOWN_TIME_SHAPE, SHOWN_TIME_COUNT, SHOWN_TIME_ROWS, SHOWN_TIME_SURE = range(6, 10)
SHOWN_STATUS_SHAPE, SHOWN_STATUS_COUNT, SHOWN_STATUS_ROWS, SHOWN_STATUS_SURE = range(10, 14)
SHOWN_TIME_END, SHOWN_TIME_WORDS, SHOWN_TIME_AT, SHOWN_TIME_STOP = range(14, 18)
SHOWN_AFTER_QUOTE, SHOWN_FIRST_QUOTED, SHOWN = range(18, 21)
NO_SHAPE = -1
DOUBTFUL_TIME, DOUBTFUL_STATUS = 1, 2
LINE_BYTES = 500  # of a masked line
LOOKED_AT = 65_536  # bytes of a line in which a status is looked for: it stands behind a request at the most
