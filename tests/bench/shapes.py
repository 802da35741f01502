"""Logs whose lines all have one unusual shape, to find the one that costs most: the same each time.

    python tests/bench/shapes.py NAME SIZE FOLDER

writes access.log of about so many bytes (of blank lines: so many lines) and truth.json. Every line has a path of
its own, but where the shape is about something else. A path is made of segments, each with what is right of it.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

FIRST_DAY = datetime(2026, 5, 1, tzinfo=UTC)
DAY_SECONDS = 86_400
SHORT, LONG = 200, 8_000  # bytes, of what the shape is about
SEGMENTS = 2_000
PATH_CHARACTERS = 1000
HOST = "shop.example.net"
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
SIZE, MILLISECONDS = 512, 17
LETTERS = "ghjkmnpqrstuvwxyz"  # none is a hexadecimal digit

Segment = tuple[str, str]
"""A segment of a path as logged, and as it may be kept."""


@dataclass(frozen=True)
class Line:
    """A line but for its time, and what is right of it.

    Attributes:
        request: As logged.
        cut: Whether only the line's first half was written, so that it is a reject.
    """

    request: str
    path: str | None
    method: str | None = "GET"
    host: str = HOST
    application: str = HOST
    agent: str = AGENT
    end: str = "\n"
    cut: bool = False


def _word(random: Random, letters: int = 6) -> str:
    return "".join(random.choices(LETTERS, k=letters))


def _as_it_is(make: Callable[[Random], str]) -> Callable[[Random], Segment]:
    def segment(random: Random) -> Segment:
        text = make(random)
        return text, text

    return segment


def _utf8(random: Random) -> Segment:
    text = _word(random).replace("g", "é").replace("k", "ß") + "ü"
    return text, "".join(each if each.isascii() else "".join(f"%{b:02X}" for b in each.encode()) for each in text)


def _masked(random: Random) -> Segment:
    digits = random.randrange(10**9, 10**10)
    return random.choice(
        [
            (f"{_word(random)}@example.org", "{email}"),
            (f"{_word(random)}%2540example.org", "{email}"),
            (f"{_word(random)}-{random.randrange(16**15, 16**16):x}", "{token}"),
            (f"x{digits}y", "x{number}y"),
            (f"198.51.{digits % 100}.7:80", "{address}:80"),
            (f"%31%39%38.51.{digits % 100}.7", "{address}"),
            (f"2001%3Adb8%3A{digits % 9999}%3A%3A7", "{address}"),
            (f"%{ord('0') + digits % 10:x}{digits}%2D1", "{number}"),
        ]
    )


SEGMENTS_OF: dict[str, Callable[[Random], Segment]] = {
    "encoded letters": _as_it_is(lambda random: "".join(f"%{ord(each):02X}" for each in _word(random))),
    "encoded signs": _as_it_is(lambda random: f"%5B{_word(random)}%3D{_word(random, 2)}%5D%7b%7D"),
    "letters encoded twice": _as_it_is(lambda random: "".join(f"%25{ord(each):02x}" for each in _word(random))),
    "escapes": _as_it_is(lambda random: rf"\xC3\xA9\"{_word(random, 3)}\\\x16"),
    "bytes that are no ASCII": _utf8,
    "one long word": _as_it_is(lambda random: "-" + _word(random, 18)),
    "nearly numbers": _as_it_is(lambda random: f"{random.randrange(10**7, 10**8)}x1-2-3-4-5-6-7y"),
    "nearly addresses": _as_it_is(
        lambda random: f"{random.randrange(999)}.{random.randrange(999)}.7x1.2y:z{_word(random, 2)}:"
    ),
    "what is masked": _masked,
    "plain words": _as_it_is(_word),
    "nothing between slashes": _as_it_is(
        lambda random: random.choice(["", ".", "..", "~", "%", _word(random, 1)])
    ),
    "spaces": lambda random: (f"{(word := _word(random, 3))} {word}", f"{word}%20{word}"),
}


def _paths(name: str, length: int) -> Callable[[Random], Iterator[Line]]:
    """Return a shape whose paths have about so many bytes of a kind of segment."""

    def lines(random: Random) -> Iterator[Line]:
        kinds = list(SEGMENTS_OF.values()) if name == "all of it" else [SEGMENTS_OF[name]]
        made = [kinds[n % len(kinds)](random) for n in range(SEGMENTS)]
        between = "" if name == "one long word" else "/"
        count = max(length // (sum(len(text) + 1 for text, _ in made) // len(made)), 1)
        while True:
            chosen = [(own := _word(random, 8), own), *random.choices(made, k=count)]
            target, kept = (f"/{between.join(texts)}" for texts in zip(*chosen, strict=True))
            yield Line(f"GET {target} HTTP/1.1", kept[:PATH_CHARACTERS])

    return lines


def _queries(random: Random) -> Iterator[Line]:
    while True:
        query = "&".join(f'a={each}%3D\\"' for each in random.choices(_words(random), k=LONG // 14))
        yield Line(f"GET /search?{query} HTTP/1.1", "/search")


def _agents(random: Random) -> Iterator[Line]:
    while True:
        yield Line(
            "GET / HTTP/1.1", "/", agent="".join(random.choices([r"\"", r"\\", r"\x22", "ab ", "x"], k=LONG // 2))
        )


def _hosts(random: Random) -> Iterator[Line]:
    while True:
        host = ".".join(random.choices(_words(random), k=34))
        yield Line("GET / HTTP/1.1", "/", host=host.title(), application=host)


def _long_hosts(random: Random) -> Iterator[Line]:
    while True:
        host = ".".join(random.choices(_words(random), k=LONG // 7))
        yield Line("GET / HTTP/1.1", "/", host=host, application="(invalid)")


def _methods(random: Random) -> Iterator[Line]:
    while True:
        method = "".join(random.choice((str.upper, str.lower))(each) for each in _word(random, 8))
        yield Line(f"{method} / HTTP/1.1", "/" if method.isupper() else None, method=None)


def _unknown_methods(random: Random) -> Iterator[Line]:
    while True:
        path = f"/{_word(random)}"
        yield Line(f"{_word(random).upper()}-X {path} HTTP/1.1", path, method=None)


def _authorities(random: Random) -> Iterator[Line]:
    while True:
        path = f"/{_word(random)}%5B"
        yield Line(f"GET http://{_word(random)}@{_word(random, 40)}.example.org:80{path} HTTP/1.1", path)


def _no_http(random: Random) -> Iterator[Line]:
    while True:
        noise = "".join(f"\\x{random.randrange(128, 256):02X}" for _ in range(50))
        yield Line(rf"\x16\x03\x01{noise}\"", None, method=None)


def _crlf(random: Random) -> Iterator[Line]:
    for line in _paths("plain words", 30)(random):
        yield replace(line, end="\r\n")


def _cut(random: Random) -> Iterator[Line]:
    for line in _paths("all of it", LONG)(random):
        yield replace(line, cut=True)


def _words(random: Random) -> list[str]:
    return [_word(random) for _ in range(40)]


def _json(lines: Iterator[Line], style: str) -> Iterator[tuple[Line, str]]:
    """Return lines as JSON, with `{time}` for their times."""
    for line in lines:
        method, target, _ = line.request.split(" ")
        if style == "escaped":
            text = "".join(f"\\u{ord(each):04x}" for each in target)
        elif style == "of nginx without escape=json":
            text = target.replace("/", r"\x2F", 1)
        else:
            text = target
        more = '"unknown":{"a":[1,2,{"b":"\\u00e9\\n"}]},' * (LONG // 50) if style == "nested" else ""
        space = " " if style == "spaced" else ""
        asked = f'"request_method":"{method}","request_uri":"{text}"'
        answered = f'"status":{space}200,{space}"body_bytes_sent":{SIZE},"request_time":0.{MILLISECONDS:03}'
        whose = f'"host":"{line.host}","http_user_agent":"{line.agent}"'
        text = f'{{{space}{more}"time_iso8601":{space}"{{time}}",{space}{asked},{answered},{whose}{space}}}\n'
        yield (replace(line, cut=True), f"{text[: len(text) // 2]}\n") if style == "cut off" else (line, text)


SHAPES: dict[str, Callable[[Random], Iterator[Line]]] = {
    **{
        f"paths of {length:,} bytes, {name}": _paths(name, length)
        for name in (*SEGMENTS_OF, "all of it")
        for length in (SHORT, LONG)
    },
    "queries of 8,000 bytes": _queries,
    "user agents of 8,000 bytes": _agents,
    "distinct hosts of 240 bytes": _hosts,
    "distinct hosts of 8,000 bytes": _long_hosts,
    "methods in upper and lower case": _methods,
    "unknown methods": _unknown_methods,
    "absolute targets": _authorities,
    "no HTTP": _no_http,
    "CRLF": _crlf,
    "cut off after 4,000 bytes": _cut,
}
JSON_SHAPES: dict[str, tuple[str, int]] = {
    "JSON": ("plain", SHORT),
    "JSON, paths of 200 bytes, escaped": ("escaped", SHORT),
    "JSON, paths of 8,000 bytes, escaped": ("escaped", LONG // 6),
    "JSON of nginx without escape=json": ("of nginx without escape=json", SHORT),
    "JSON, spaced": ("spaced", SHORT),
    "JSON, nested": ("nested", SHORT),
    "JSON, cut off": ("cut off", SHORT),
}
BLANK = "blank lines"


def format_of(name: str) -> str:
    """Return the format of a shape's lines."""
    return "json" if name in JSON_SHAPES else "vhost_combined"


def written(name: str) -> Iterator[tuple[Line, str]]:
    """Yield a shape's lines, with `{time}` for their times."""
    random = Random(name)  # noqa: S311 - no secrets
    if name in JSON_SHAPES:
        style, length = JSON_SHAPES[name]
        yield from _json(_paths("encoded signs", length)(random), style)
        return
    for line in SHAPES[name](random):
        text = (
            f'{line.host}:443 198.18.7.9 - - [{{time}}] "{line.request}" 200 {SIZE} "-" "{line.agent}"{line.end}'
        )
        yield line, text[: len(text) // 2] + line.end if line.cut else text


def made(name: str, size: int) -> tuple[list[bytes], list[Line]]:
    """Return the lines of a shape, of about so many bytes, and what is right of them."""
    texts, lines = [], []
    clock = "%Y-%m-%dT%H:%M:%S+00:00" if name in JSON_SHAPES else "%d/%b/%Y:%H:%M:%S +0000"
    time = FIRST_DAY.strftime(clock)
    for line, text in written(name):
        texts.append(text.replace("{time}", time, 1).encode())
        lines.append(line)
        size -= len(texts[-1])
        if size <= 0:
            break
    return texts, lines


def true(lines: list[Line], *, is_json: bool) -> dict[str, object]:
    """Return what is true of lines, as truth.py has it."""
    from truth import NO_NAME, facts_of_paths

    good = [line for line in lines if not line.cut]
    return {
        "requests": len(good),
        "server_errors": 0,
        "response_bytes": SIZE * len(good),
        "epoch_seconds": int(FIRST_DAY.timestamp()) * len(good),
        **({"milliseconds": MILLISECONDS * len(good)} if is_json else {}),
        "rejects": {"shape": len(lines) - len(good)} if len(good) < len(lines) else {},
        "days": {f"{FIRST_DAY:%Y-%m-%d}": len(good)} if good else {},
        "applications": Counter(line.application for line in good),
        "methods": Counter(line.method or NO_NAME for line in good),
        **facts_of_paths("paths", Counter(line.path or NO_NAME for line in good)),
    }


def main() -> None:
    """Write a log and truth.json."""
    _, name, size, where = sys.argv
    folder = Path(where)
    folder.mkdir(parents=True, exist_ok=True)
    if name == BLANK:
        texts = [b"\n" * int(size)]
        truth = true([], is_json=False) | {"rejects": {"blank": int(size)}}
    else:
        texts, lines = made(name, int(size))
        truth = true(lines, is_json=name in JSON_SHAPES)
    folder.joinpath("lines").write_text(str(int(size) if name == BLANK else len(texts)), encoding="utf-8")
    folder.joinpath("truth.json").write_text(json.dumps(truth), encoding="utf-8")
    folder.joinpath("access.log").write_bytes(b"".join(texts))


if __name__ == "__main__":
    main()
