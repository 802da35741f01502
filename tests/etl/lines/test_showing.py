"""What the kernel says is kept of rejected lines, and which statuses they show: as the regular expressions say."""

import io

import agreement
import fuzz
import interpreted
import lines
import numpy as np
import pyarrow as pa
import pytest

from etl.kernel import layout
from etl.kernel.machine_code import Kernel
from etl.kernel.machine_code import kernel as machine_code
from etl.lines import showing
from etl.lines.blocks import BlockParser
from etl.lines.formats import FORMATS, Alternatives, Format, shaped
from etl.lines.parse import ACCEPTED
from etl.lines.places import places_of
from etl.lines.privacy import mask_lines
from etl.lines.showing import Shown
from etl.lines.statuses import shown_statuses
from etl.raw import reading
from lake.contracts.rejects import REASONS

SHAPE = REASONS.index("shape")
DRAWN = 400
TIME = b"17/Sep/2026:10:05:03 +0000"
TIMES = (
    *(TIME, b"31/Feb/2026:10:05:03 +0000", b"17/Spe/2026:10:05:03 +0000", b"17/Sep/2026:10:05:63 +0000"),
    *(b"17/Sep/2026:10:05:03 +1500", b"31/Dec/9999:23:59:59 -1000", b"17/Sep/2026:10:05:03"),
    *(b"17/Sep/2026 10:05:03", b"17/Sep/2026:10:05:03.5 +0000", b"2026-09-17T10:05:03Z"),
    *(b"2026-09-17 10:05:03,123+02", b"2026-02-31T10:05:03Z", b"2026/09/17 - 10:05:03"),
    *(b"1969-12-31T23:00:00Z", b"9999-12-31T23:59:59-05:00", b"-", b"", b"\t", TIME + b"x"),
)
BEFORE = (
    *(b"192.0.2.7 - - ", b"[2001:db8::7]:80 - - ", b"[2001:db8::7]: - - ", b"[2001:db8::x] - - "),
    *(b"a, b - - ", b"a : b - - ", b"a, - - ", b'a - "" ', b'a - """ ', b"a - b c ", b"a - b  c "),
    *(b"a - b -c ", b"a - b\xff\tc ", b"a\tb - - ", b" a - - ", b"a - ", b'a" - - ', b"a - - - "),
    *(b"a - b [", b"a - \r ", b"x" * 480 + b" - - ", b"", b"x" * 462 + b" - - ", b"x" * 463 + b" - - "),
    *(b"x" * 464 + b" - - ", b"[::1]x - - ", b"[ - - ", b"[::1], b - - "),
)
AFTER = (
    *(b'"GET / HTTP/1.1" 503 5', b'"GET /" "503" 5', b'"GET / 503 5', b'"\\" 500 1" 404', b'"-" 50'),
    *(b'"-" 600 1', b'"-" 5020 1', b'"-" 502.5', b'"-" 502x', b'"-" 502\xff', b'"-"  502 '),
    *(b'"\\\\" 502', b'"\\', b'"\n" 502 5', b'"-" 502', b'"" 502 1', b'- 502 1 "'),
    *(b'"%s" 502 1' % (b"y" * 65_480), b'"%s" 502 1' % (b"y" * 65_600)),
)
MEMBERS = (
    *(b'"time_iso8601":"2026-09-17T10:05:03Z"', b'"time_local":"%s"' % TIME),
    *(b'"time_local":"31/Feb/2026"', b'"a":1', b'"status":503', b'"status" :\t"502"', b'"status":5020'),
    *(b'"status":null', b'"a":{"status":501}', b'"a":[1,2', b'"a":{"b":{"c":1}}', b'"a":{"b":"}{,"'),
    *(b'"a":"\\",\\"status\\":504"', b'"a":"', b"}", b"]", b"\xff\x00", b""),
    *(b'"time_iso8601":"2026-09-17T10:05:03"', b'"status":499', b'x"status":500'),
    *(b'"time_iso8601":"9999-12-31 1"', b'"time_iso8601":"2026-09-17T10:05:03.1234567890Z"'),
    *(b'"time_iso8601":17', b'"msec":"1789639503.123"'),
)


@pytest.fixture(scope="module")
def plain_python():
    """The kernel as plain Python."""
    with interpreted.kernel() as made:
        yield made


def assert_alike(kernel: Kernel, log_format: Format, made: list[bytes]) -> None:
    """The kernel, with what it leaves to them, says what the regular expressions say."""
    frame = np.zeros(layout.FRAME, np.int64)
    frame[layout.NAIVE_IS_UTC] = log_format.timezone == "UTC"
    offsets = np.append(0, np.cumsum([len(each) for each in made])).astype(np.int32)
    data = np.frombuffer(bytearray(b"".join(made) + fuzz.STALE * 5), np.uint8)
    reasons = np.full(len(made), SHAPE)
    reasons[::7], reasons[::11] = ACCEPTED, REASONS.index("blank")
    masked, statuses = Shown(kernel, frame, log_format).of(offsets, data, reasons)
    texts = pa.array(made, pa.binary())
    wanted = mask_lines(texts, places_of(log_format)).to_pylist()
    is_reject = reasons != ACCEPTED
    for line, one, other, counts in zip(made, masked.to_pylist(), wanted, is_reject, strict=True):
        assert not counts or one == other, line
    found = zip(made, statuses.tolist(), shown_statuses(texts, reasons, log_format).tolist(), strict=True)
    assert [each for each in found if each[1] != each[2]] == []


def apache() -> list[bytes]:
    """Return lines of Apache's formats with all that is odd about them."""
    whole = b'192.0.2.7 - - [%s] "GET / HTTP/1.1" 503 5 "-" "-"\n'
    made = [whole % each for each in TIMES]
    made += [each + b'[%s] "GET / HTTP/1.1" 503 5 "-" "-"\n' % TIME for each in BEFORE]
    made += [
        b"192.0.2.7 - - [%s] " % TIME + each + end for each in AFTER for end in (b"\n", b"\r\n", b" 9\r\r\n", b"")
    ]
    made += [b'192.0.2.7 - "" [%s] ' % TIME + each + b"\n" for each in AFTER]
    made += [b"\n", b"\r\n", b"\r" * 600, b"x" * 500 + b"\r" * 9 + b"y\n", b"[" + TIME + b'] "', b'"', b""]
    return made + [b"shop:80 " + each for each in made]


def objects() -> list[bytes]:
    """Return lines of JSON of which most are cut off."""
    rng = lines.seeded("objects")
    made = [b"", b"{", b" {\n", b"[{", b'\v{"status":503', b'\n{"status":503']
    for end in (b"", b"}\n", b"\n", b",\r\n", b'"', b"} x\n"):
        made += [b"{%s" % b",".join(rng.choices(MEMBERS, k=rng.randrange(1, 6))) + end for _ in range(120)]
    return made + [b'{"a":"%s","status":503' % (b"y" * size) for size in (480, 65_490, 65_600)]


@pytest.mark.parametrize("case", agreement.ALL, ids=lambda case: case.name)
def test_lines_of_all_formats(case: agreement.Case) -> None:
    """Whole ones and damaged ones."""
    assert_alike(machine_code(), case.format, fuzz.Pool(case, lines.seeded(case.name)).draw(DRAWN))


@pytest.mark.parametrize("name", ["common", "combined", "vhost_combined", "nginx_proxy_manager", "puma", "django"])
def test_odd_lines_of_fields(name: str) -> None:
    """Brackets, quotes, spaces and times where they should not be."""
    assert_alike(machine_code(), FORMATS[name], apache())


@pytest.mark.parametrize(
    "notation",
    [
        '$remote_addr [$time_local] "$request" $status $upstream_status',  # whose status may be the upstream's
        '$remote_addr\t$remote_user\t$time_local\t"$request"\t$status',
        "$time_iso8601|$request_method|$request_uri|$status",
        "$time_iso8601 $remote_user $status",
        '$remote_user "$request" some long text: $status [$time_local]',
    ],
)
def test_odd_lines_of_declared_fields(notation: str) -> None:
    """Whatever is between the fields, before and behind."""
    log_format = shaped("declared", notation)
    made = apache()
    for separator in (b"\t", b"|", b" "):
        made += [separator.join((b"a", b"b c", time, b'"GET / HTTP/1.1"', b"503", b"5")) + b"\n" for time in TIMES]
        made += [separator.join((time, b"GET", b'/"a', b"503", b"5")) + b"\n" for time in TIMES]
    made += [b'bob "GET /" some long text: 503 [%s]\n' % each for each in TIMES]
    assert_alike(machine_code(), log_format, made)


@pytest.mark.parametrize("name", ["json", "traefik_json", "caddy", "ecs"])
def test_odd_lines_of_json(name: str) -> None:
    """Names twice, in objects and in texts, and lines that end somewhere."""
    assert_alike(machine_code(), FORMATS[name], objects())


def test_lines_of_one_of_several_formats() -> None:
    """What the first has not in its place, the others may have."""
    two = Alternatives.of((FORMATS["combined"], FORMATS["vhost_combined"]), ("a", "b"))
    assert_alike(machine_code(), two, apache())
    assert_alike(machine_code(), Alternatives.of((FORMATS["json"], FORMATS["combined"]), ("a", "b")), objects())


def test_both_parsers_look_in_the_places_of_all_formats() -> None:
    """A line of the second format that is cut off shows its status and its time to either."""
    two = Alternatives.of((FORMATS["json"], FORMATS["combined"]), ("a", "b"))
    line = b'192.0.2.7 - - [%s] "GET / HTTP/1.1" 503 5 "-\n' % TIME
    case = agreement.CASES["combined"]
    for compiled in (False, True):
        parser = BlockParser(two, case.classifier, compiled=compiled)
        (batch,) = parser.batches(reading.whole_lines(io.BytesIO(line)))
        assert batch.statuses.tolist() == [503]
        assert TIME.decode() in batch.masked[0].as_py()


def test_the_kernels_own_source(plain_python: Kernel) -> None:
    """It says the same as its machine code."""
    assert_alike(plain_python, FORMATS["vhost_combined"], [each[:900] for each in apache()])
    assert_alike(plain_python, FORMATS["json"], [each[:900] for each in objects()[::3]])
    assert_alike(plain_python, shaped("tabs", "$remote_addr\t$time_iso8601\t$status"), apache()[:20])
    dashed = FORMATS["nginx_proxy_manager"]
    assert_alike(plain_python, dashed, fuzz.Pool(agreement.CASES[dashed.name], lines.seeded("few")).draw(40))


def test_what_is_doubted_is_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of lines as servers write them, and of such that are cut off, nothing is left to the regular expressions."""
    for name in ("mask_lines", "shown_statuses"):
        monkeypatch.delattr(showing.privacy if name == "mask_lines" else showing, name)
    line = b'shop:80 192.0.2.7 - - [%s] "GET /a HTTP/1.1" 503 5 "-" "-"\n' % TIME
    made = [line[:size] + b"\n" for size in range(len(line))]
    offsets = np.append(0, np.cumsum([len(each) for each in made])).astype(np.int32)
    data = np.frombuffer(bytearray(b"".join(made) + fuzz.STALE * 5), np.uint8)
    found = Shown(machine_code(), np.zeros(layout.FRAME, np.int64), FORMATS["vhost_combined"])
    masked, statuses = found.of(offsets, data, np.full(len(made), SHAPE))
    assert sum(TIME.decode() in each for each in masked.to_pylist()) == len(line) - line.index(b'] "') - 1
    assert np.count_nonzero(statuses == 503) == len(line) - line.index(b"503") - len("503")
