"""What the kernel and its caller agree on: codes, and how programs, lines, frames and tables lie in memory."""

import numpy as np

PADDING = 256
MAX_LINE_BYTES = 1 << 20
NO_TIME = np.iinfo(np.int64).min
NO_ID = -1

# How a field is written: up to its terminator as a bare word; likewise, but quotes and brackets are letters
# as any; as a word that may be one of a list; in quotes; in brackets; in brackets, and read as a time
WORD, PLAIN, LIST, QUOTED, BRACKETED, STAMP = range(6)
# What a field is read for
IGNORED, TIME, DATE, CLOCK, REQUEST, METHOD, TARGET, STATUS, RESPONSE_BYTES, DURATION = range(10)
UPSTREAM_STATUS, UPSTREAMS, HOST, USER_AGENT = range(10, 14)

# A program's row: the literal before the field (its length, a mask of so many bytes, and the bytes), how the
# field is written, the byte that ends it, what it is read for, and the decimal places of its unit
LITERAL_BYTES, LITERAL_MASK, LITERAL, KIND, END, LAST, ROLE, SCALE, ROW = range(9)

# What is found out of a line: a row of 64 bytes, one cache line; the last two are of no use outside
TIMES, SIZES, DURATIONS, STARTS, PATHS, HOSTS, AGENTS = 0, 8, 16, 24, 28, 32, 36
METHOD_NUMBERS, STATUSES, UPSTREAM, RETRIED, CODES, DATE_AT, MANTISSA = 40, 42, 44, 46, 47, 48, 56
LINE = np.dtype(
    {
        "names": [
            *("times", "sizes", "durations", "starts", "paths", "hosts", "agents"),
            *("methods", "statuses", "upstream", "retried", "codes"),
        ],
        "formats": ["i8", "i8", "f8", "i4", "i4", "i4", "i4", "i2", "i2", "i2", "i1", "i1"],
        "offsets": [
            *(TIMES, SIZES, DURATIONS, STARTS, PATHS, HOSTS, AGENTS),
            *(METHOD_NUMBERS, STATUSES, UPSTREAM, RETRIED, CODES),
        ],
        "itemsize": 64,
    }
)
NOT_A_NUMBER = 0x7FF8000000000000
NONE_YET, UNKNOWN = -1, -2  # of a line's durations

# The frame: what the kernel is given and keeps, one 64-bit number each
ROWS, LINES = 0, 1  # the address of the lines' rows, and for how many there is room
PROGRAM, FIELDS, EXTRA = 2, 3, 4
METHOD_TABLE, METHOD_COUNT = 5, 6  # rows of two: the method and its size, and its number
ZERO_STATUS, NAIVE_IS_UTC, AUTHORITY = 7, 8, 9
PATH_TEXTS, HOST_TEXTS, AGENT_TEXTS = 10, 11, 12  # addresses of interning tables
LAST_TIME, LAST_MICROSECONDS = 13, 17  # the text of the line before (32 bytes), and what it meant
LAST_DATE, LAST_DAY = 18, 20
PLACES = 21  # decimal places of the line's durations
# For lines of keys and values: the keys, as many rows as FIELDS; where in the line their values are; the keys of
# the line before, as the same ones are expected; and which field is a time that stands before the keys
KEYS, FOUND, EXPECTED, PREFIX = 22, 23, 24, 25
FRAME = 26

# A key's row: its text's address and size, what its value is read for, and the decimal places of its unit
KEY_AT, KEY_BYTES, KEY_ROLE, KEY_SCALE, KEY_ROW = range(5)
# A value that was found: its begin and end, and what it is; an address of 0 if there is none
VALUE_AT, VALUE_END, VALUE_KIND, VALUE_ROW = range(4)
TEXT, NUMBER, NULL, OTHER = range(4)
# An expected key: its text, its size (-1 if none is), and the row of KEYS, -1 if nobody wants it
EXPECTED_BYTES, EXPECTED_KEY, EXPECTED_ROW, EXPECTED_ROWS = 8, 9, 10, 64
LONGEST_EXPECTED = 56

# An interning table: the addresses of its slots and entries, the slots' number less one, the entries' number, with
# how many of them no further line is begun, and room for texts that are not in the block. A slot has the upper
# half of the hash, and the entry's number from 1; an entry has its text's address, and its size, negative if it is
# a path that has to be cleaned
SLOTS, MASK, ENTRIES, COUNT, ENOUGH, ARENA, ARENA_END, TABLE = range(8)

PROVEN, UNDECIDED = 0, 1

# What the kernel can do: take lines of one of these shapes apart, or copy a table's texts
DELIMITED, JSON, LOGFMT, GATHER = range(4)
