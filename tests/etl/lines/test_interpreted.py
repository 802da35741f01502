"""The kernel's own source, run as plain Python, says what the plain parser says."""

import zlib

import agreement
import damaged
import interpreted
import lines
import numpy as np
import pytest
import reference
import xxhash

from etl.kernel.layout import PADDING
from etl.lines import blocks, compiled, timestamps
from etl.lines.batches import ANY_DAY, Days, Ends
from lake.contracts.rejects import REASONS
from lake.memory import arrays

LINES = 120
SEGMENTS = (
    *(b"", b".", b"a", b"198.51.100.7", b"1.1.1", b"2001:db8::7", b"1%3A2%253a3", b"::::::::::::", b"a:b"),
    *(b"a@b.c", b"%40", b"%2540", b"%41%42", b"%2541", b"%5B%3D", b"%zz", b"%", b"%2", b"%25", b"%2525"),
    *(b"12345678", b"123456789", b"1-2-3-4-5-6-7-8-9", b"1+2-3+4-5+6-7+8-9x", b"x" * 20, b"0123456789abcdef"),
    *(b"12345678-1234-1234-1234-123456789abc", b"aB3-aB3_aB3-aB3_aB3-aB3", b"caf\xe9", b"a b", b"\x7f", b"a" * 15),
    *(b"%3131313131313131", b"12345678.1234-5678.9", b"a_b-c+d", b"%2D1%2e2%2B3", b"a" * 300, b"\xff" * 400),
)
REQUESTS = (
    *(b"", b"-", b"GET", b"GET ", b"get /a HTTP/1.1", b"PROPFIND /a HTTP/1.1", b"UPDATEREDIRECTREF / HTTP/2"),
    *(b"OPTIONS * HTTP/1.1", b"OPTIONS *", b"CONNECT a:443 HTTP/1.1", b"GET http://a/b?c HTTP/1.1", b"GET /a"),
    *(b"GET https://a?b HTTP/1.1", b"GET 1http://a/b HTTP/1.1", b"GET ht~tp://a/b HTTP/1.1", b"GET /a b"),
    *(b"GET  HTTP/1.1", b"GET /a HTTP/1.x", b"GET /a HTTP/1", b"GET /a%3Fb HTTP/1.1", b"GET /a%253bb#c HTTP/1.1"),
    *(
        b"GET http:// HTTP/1.1",
        b"GET http://u@a/b HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"\\x16\\x03\\x01",
        b"GET /;a HTTP/1.0",
    ),
)
TIMES = (
    *(b"17/Sep/2026:12:00:00 +0000", b"17/Sep/2026:12:00:00 -0130", b"31/Feb/2026:12:00:00 +0000", b"-"),
    *(b"29/Feb/2000:01:02:03 +0000", b"17/Sep/2026:24:00:00 +0000", b"17/Sep/2026:1x:00:00 +0000", b"17-Sep-2026"),
    *(b"01/%s/2026:00:00:00 +1400" % each.encode() for each in timestamps.MONTHS),
    *(b"17/Sep/2026:12:00:00 +1500", b"17/Sep/2026:12:00:00 /0000", b"17/Xyz/2026:12:00:00 +0000"),
)


@pytest.fixture(scope="module")
def kernel():
    """The kernel as plain Python."""
    with interpreted.kernel() as made:
        yield made


@pytest.fixture(autouse=True)
def slow(kernel, monkeypatch):
    """Have the compiled parser run it, with little memory, so that all of it is full at times."""
    monkeypatch.setattr(compiled, "kernel", lambda: kernel)
    monkeypatch.setattr(compiled.Workspace, "_idle", [])
    monkeypatch.setattr(compiled, "ROW_GROUP_ROWS", 50)
    monkeypatch.setattr(compiled, "OTHERS", 40)
    monkeypatch.setattr(compiled, "ELSEWHERE", 30)
    monkeypatch.setattr(compiled, "MANY", 5)


def batches(case, data, parser, days=ANY_DAY):
    """Return what a parser makes of the lines of a block."""
    block = memoryview(bytearray(data + bytes(PADDING)))[: len(data)]
    made = blocks.BlockParser(case.format, case.classifier, days, compiled=agreement.PARSERS[parser])
    return made.batches([block])


def told(case, data, parser, days=ANY_DAY):
    """Return what a parser says of the lines of a block."""
    return [agreement.told(batch) for batch in batches(case, data, parser, days)]


def check(case, data, days=ANY_DAY):
    """Both parsers say the same of the lines of a block."""
    plain, other = (told(case, data, parser, days) for parser in agreement.PARSERS)
    for one, two in zip(zip(*plain, strict=True), zip(*other, strict=True), strict=True):
        if isinstance(one[0], np.ndarray):
            assert np.concatenate(one).tolist() == np.concatenate(two).tolist()
        else:
            assert [row for each in one for row in each.to_pylist()] == [
                row for each in two for row in each.to_pylist()
            ]


@pytest.mark.parametrize("name", agreement.CASES)
def test_lines_of_every_format(name):
    """Whole and damaged ones, with LF and CRLF, blank ones between them."""
    case = agreement.CASES[name]
    random = lines.seeded(name)
    dialect, first = case.dialect, b""
    if dialect.style == "headed":
        names = lines.HEADERS[name][0]
        first, dialect = b"#Fields: " + names + b"\n", reference.headed_by(dialect, names)
    whole = [lines.line(random, dialect) for _ in range(LINES)]
    damaged = [random.choice(lines.MUTATIONS)(random, each, random.choice(whole)) for each in whole]
    drawn = [random.choice(pair) for pair in zip(whole, damaged, strict=True)]
    check(case, first + b"".join(each + random.choice((b"\n", b"\r\n", b"\n\n")) for each in drawn) + b"x")


@pytest.mark.parametrize("case", damaged.CASES, ids=lambda path: path.name)
def test_lines_of_golden_cases(case, tmp_path):
    """Whole and damaged ones, with what other formats have in them."""
    source, (head, log) = damaged.of_case(case, tmp_path), damaged.lines_of(case)
    check(source, b"".join([*head, *damaged.damaged(lines.seeded(case.name), log, 20, lines.MUTATIONS)]))


@pytest.mark.parametrize("name", ["common", "combined", "vhost_combined"])
def test_requests_and_paths_of_all_kinds(name):
    """In Apache's own lines: each segment alone, and several in a row; each odd request; each time."""
    random = lines.seeded(name)
    before = b"[2001:db8::7]:80 " if name == "vhost_combined" else b""
    after = b"" if name == "common" else b' "-" "curl \\"x\\""'
    requests = [b"GET /%s HTTP/1.1" % each for each in SEGMENTS]
    requests += [b"GET /%s HTTP/1.1" % b"/".join(random.choices(SEGMENTS, k=9)) for _ in range(60)]
    data = b"".join(
        before + b'- - %s [%s] "%s" 200 %s%s\n' % (random.choice((b"-", b"a", b"a b")), time, request, size, after)
        for request, time, size in [
            *((each, TIMES[0], random.choice((b"5", b"-", b"5x"))) for each in (*requests, *REQUESTS)),
            *((b"GET / HTTP/1.1", each, b"7") for each in TIMES),
        ]
    )
    check(agreement.CASES[name], data)


def test_strings_of_json():
    """Each odd character and escape in what is read, in a key, and in what nobody asks for; and long texts."""
    escapes = (*lines.ODD_ESCAPES, *(b"\\%c" % letter for letter in b'"\\/bfnrt'), b"\\u0061" * 12_000)
    written = (b"".join(b"\\x%02x" % byte for byte in each) for each in lines.ODD_CHARACTERS)
    odd = (*escapes, *lines.ODD_CHARACTERS, *written)
    data = b"".join(
        b'{"time_iso8601":"2026-09-17T12:00:00Z","status":200,"request_uri":"/%s%s","a%s":{"b":"%s"}}\n' % texts
        for each in odd
        for texts in ((each, each, b"", b""), (b"", b"", each, b""), (b"", b"", b"", each))
    )
    check(agreement.CASES["json"], data)


def test_values_of_json():
    """Each odd value for each key that is wanted, twice too, and for one that is not."""
    data = b"".join(
        b'{"time_iso8601":"2026-09-17T12:00:00Z","status":200,"%s":%s,"host":"a"}\n' % (key, each)
        for each in (*lines.ODD_JSON, b"[" * 61 + b"]" * 61)
        for key in (b"status", b"time_iso8601", b"request_time", b"host", b"request_uri", b"body_bytes_sent", b"x")
    )
    check(agreement.CASES["json"], data)


@pytest.mark.parametrize("name", ["common", "combined", "vhost_combined"])
def test_malformed_lines(name):
    """In Apache's formats: cut off anywhere, glued to another, and with values and timestamps that are none."""
    random = lines.seeded(name)
    before = b"[2001:db8::7]:80 " if name == "vhost_combined" else b""
    after = b"" if name == "common" else b' "-" "a \\"b"'
    good = before + b'::1 - %s [%s] "%s" %s %s' + after
    times = (*TIMES, b"17/Sep/9999:12:00:00 +0000", b"17/Sep/2027:12:00:00 +0000", b'17/Sep/2026:12:00:"0 +0000')
    times += (b"2026-09-17T12:00:00Z", b"2026-02-31T12:00:00Z", b"2026", b"")
    statuses = (b"200", b"000", b"999", b"99", b"-", b"2\t0", b'2"0', b"[2]", b"")
    sizes, users = (b"7", b"-1", b"x", b"9" * 19, b"1\t", b'1"', b""), (b"-", b'""', b'"', b"a b", b'"" ""')
    made = [good % (b"-", TIMES[0], b"GET / HTTP/1.1", b"200", b"7")]
    whole = made[0]
    for part, values in enumerate((users, times, (b"GET /\\", b'"', b""), statuses, sizes)):
        for value in values:
            fields = [b"-", TIMES[0], b"GET / HTTP/1.1", b"200", b"7"]
            fields[part] = value
            made.append(good % tuple(fields))
    made += [good % tuple(map(random.choice, (users, times, (b"-",), statuses, sizes))) for _ in range(60)]
    made += [whole[:size] for size in range(1, len(whole))]
    made += [random.choice(made)[: random.randrange(90)] + random.choice(made) for _ in range(60)]
    made += [whole + more for more in (b" ", b' "-" 0.1', b"\r", b"x", b'"', b"\t")]
    made += [b"[" + each + b"]" + random.choice((b"", b'"', b' ""')) for each in times]
    data = b"".join(each + random.choice((b"\n", b"\r\n")) for each in made)
    check(agreement.CASES[name], data + whole[:-1])
    check(agreement.CASES[name], data + whole + b"\r", Days(20_713, 20_714))


def test_what_is_malformed_in_usual_ways_is_read_by_the_kernel_alone():
    """Of a day of rejects, few need the plain parser, which takes ten times as long."""
    case = agreement.CASES["combined"]
    whole = b'::1 - - [17/Sep/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 7 "-" "a"'
    made = [whole[: len(whole) // 2], whole[:-1], whole[:60] + whole, whole + b' "-" 0.1', b"\x16\x03", b"x\xff"]
    made += [whole.replace(b" 200 7", b" 999 7"), whole.replace(b" 7 ", b" -1 "), whole.replace(b"17/S", b"31/S")]
    data = b"\n".join(made)
    block = memoryview(bytearray(data + bytes(PADDING)))[: len(data)]
    made = blocks.BlockParser(case.format, case.classifier, compiled=True)
    reasons = np.concatenate([batch.reasons for batch in made.batches([block])]).tolist()
    assert [REASONS[each] for each in reasons] == [*["shape"] * 6, "status", "time"]
    assert made.plain_lines == 0


def test_days_too_far(log_line):
    """Requests of other days are rejects of no day, by either parser."""
    times = [b"16/Sep/2026:23:59:59 +0000", b"17/Sep/2026:12:00:00 +0000", b"18/Sep/2026:00:00:00 +0000"]
    data = b"".join(b'- - - [%s] "-" 200 5\n' % each for each in times)
    day = 20_713
    check(agreement.CASES["common"], data, Days(day, day + 1))


@pytest.mark.parametrize("parser", agreement.PARSERS)
@pytest.mark.parametrize("shares", [(1, 1, 1, 1), (0, 9, 1, 1), (9, 1, 0, 0), (1, 0, 0, 0)])
def test_days_that_are_not_wanted(parser, shares):
    """Their requests are counted and have no row; all else is as where any day is wanted."""
    case = agreement.CASES["common"]
    random = lines.seeded(f"{parser} {shares}")
    known = (b'- - - [%s/Sep/2026:12:00:00 +0000] "GET /%d HTTP/1.1" 200 5\n', b"- - a b [%s/Sep/2026:12:00:00")
    shapes = (known[0], known[1] + b' +0000] "GET /%d HTTP/1.1" 200 5\n', b"[%s/Sep/2026:12:00:00 +0000] %d\n")
    data = b"".join(
        random.choice((*shapes, known[0], known[0])) % (random.choices((b"16", b"17", b"18", b"19"), shares)[0], n)
        for n in range(400)
    )
    day = 20_713  # 17 September
    (of_all,) = batches(case, data, "plain", Days(day - 1, day + 2))
    whole = agreement.told(of_all)
    read, strays = 0, []
    for batch in batches(case, data, parser, Days(day - 1, day + 2, wanted=Days(day, day + 9))):
        part = slice(read, read + batch.lines)
        days, reasons = whole.days[part], whole.reasons[part]
        elsewhere = np.flatnonzero((reasons == blocks.ACCEPTED) & (days == day - 1))
        assert batch.elsewhere.tolist() == elsewhere.tolist()
        assert batch.elsewhere_days.tolist() == [day - 1] * len(elsewhere)
        strays += batch.strays.tolist()
        kept = np.flatnonzero((reasons == blocks.ACCEPTED) & (days >= day))
        assert batch.numbers_of(np.arange(len(kept))).tolist() == kept.tolist()
        assert batch.days.tolist() == days[kept].tolist()
        before = np.count_nonzero(whole.reasons[:read] == blocks.ACCEPTED)
        rows = before + np.cumsum(reasons == blocks.ACCEPTED)[kept] - 1
        assert batch.rows.cast(agreement.SCHEMA).to_pylist() == whole.rows.take(arrays.numbers(rows)).to_pylist()
        others = np.flatnonzero(reasons != blocks.ACCEPTED)
        for one, other in ((batch.numbers, others), (batch.reasons, reasons[others])):
            assert one.tolist() == other.tolist()
        assert batch.other_days.tolist() == days[others].tolist()
        read += batch.lines
    assert read == len(whole.days)
    assert strays == of_all.strays.tolist()
    assert {*strays} == {timestamps.NO_DAY, day + 2} if shares[3] else {timestamps.NO_DAY}


def test_rejected_lines_are_masked_alike():
    """By the kernel as by etl.lines.privacy, timestamps of all shapes in them."""
    shown = ("2026-09-17T12:00:00Z", "2026-09-17\t12:00:00,123456789+02:00", "17/Sep/2026:12:00:00 +0000")
    shown += (
        "2026-09-17 12:00:00.1+0200",
        "2026-09-17T12:00:00+02",
        "2026-09-17T12:00:00-x",
        "17/Spe/2026",
        "2026-9",
    )
    texts = [f"ab1 {each} {other}\x07".encode() for each in shown for other in shown] + [b"x" * 600, b"\xff\r\r"]
    case = agreement.CASES["combined"]
    block = b"".join(each + b"\n" for each in texts)
    masked = []
    for parser in agreement.PARSERS:
        data = memoryview(bytearray(block + bytes(PADDING)))[: len(block)]
        made = blocks.BlockParser(case.format, case.classifier, compiled=agreement.PARSERS[parser])
        masked.append([line for batch in made.batches([data]) for line in batch.masked.to_pylist()])
    assert masked[0] == masked[1]


def test_lines_are_counted():
    """By 64 bytes and one by one, with and without a last line end."""
    case = agreement.CASES["common"]
    made = compiled.CompiledParser.of(case.format, case.classifier, None, ANY_DAY, None, None)
    for text in (b"a", b"\n", b"a\n" * 100, b"a\n" * 100 + b"b", b"\n" * 64):
        assert made.lines_in(memoryview(bytearray(text + bytes(PADDING)))[: len(text)]) == len(text.splitlines())


@pytest.mark.parametrize("parser", agreement.PARSERS)
@pytest.mark.parametrize("wanted", [None, Days(20_713, 20_714)])
def test_ends_of_days_are_noted(parser, wanted):
    """After a day's last line in a batch, be it a reject or a wanted request: how many bytes, and their digest."""
    case = agreement.CASES["common"]
    random = lines.seeded(parser)
    days = (b"16", b"17", b"18")
    data = [
        random.choice((b'- - - [%s/Sep/2026:12:00:00 +0000] "-" 200 5\n', b'- [%s/Sep/2026:12:00:00 +0000] "\n'))
        % random.choice(days)
        for _ in range(150)
    ] + [b'- - a b [17/Sep/2026:12:00:00 +0000] "-" 200 5\n', b"no time\n"] * 9
    random.shuffle(data)
    pieces = [b"".join(data[n : n + 20]) for n in range(0, len(data), 20)]
    views = (memoryview(bytearray(piece + bytes(PADDING)))[: len(piece)] for piece in pieces)
    how = {"compiled": agreement.PARSERS[parser], "ends": Ends()}
    made = blocks.BlockParser(case.format, case.classifier, Days(wanted=wanted), **how)
    read = 0
    for batch in made.batches(views):
        found = agreement.told(batch)
        counts = found.reasons != agreement.ELSEWHERE
        for day in set(found.days[counts].tolist()):
            assert int(np.flatnonzero(counts & (found.days == day))[-1]) in batch.ends
        for number, end in batch.ends.items():
            before = b"".join(data[: read + number + 1])
            found = end.content()
            assert (found.bytes, found.crc32) == (len(before), zlib.crc32(before))
            assert found.xxh3 == xxhash.xxh3_64(before).hexdigest()
        read += batch.lines
    assert read == len(data)
