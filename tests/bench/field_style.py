"""How an hour of field_traffic.py's requests is written, and what happens to lines on their way to a disk."""

import re
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from field_traffic import (
    ALL_PROTOCOLS,
    APPLICATIONS,
    BEFORES,
    CRLF_HOST,
    HOSTS,
    METHOD_NAMES,
    NO_NAME,
    STATUSES,
    TARGETS,
    FieldHour,
    agents,
    clients,
    referers,
)
from traffic import HOUR_SECONDS, Integers
from truth import REASONS, Pools

MALFORMED_SHARE = 0.001
# (what happened to a line, the reason for which it is a reject)
MALFORMED = (
    ("cut off", "shape"),
    ("glued", "shape"),
    ("no such status", "status"),
    ("no such day", "time"),
    ("quote missing", "shape"),
    ("blank", "blank"),
    ("garbage", "shape"),
    ("too many fields", "shape"),
    ("wrong day", "wrong_day"),
)
REASON_OF = np.array([REASONS.index(reason) for _, reason in MALFORMED])
SHOWN = [n for n, (what, _) in enumerate(MALFORMED) if what != "blank"]
IN_BURSTS = [n for n, (what, _) in enumerate(MALFORMED) if what in {"cut off", "blank", "garbage"}]
LINES_A_BURST = 1_000_000  # one burst in so many lines, at least one in the log
BURST_HOUR = 13
BURST_LINES = 700
GARBAGE = [
    bytes(byte for byte in np.random.default_rng(n).integers(0, 256, 40 + n).tolist() if byte not in b"\n\r\x01")
    for n in range(64)
]


class FieldStyle:
    """Writes requests as JSON or as `combined` ones with a virtual host: with CRLF all, or those of a host."""

    pools = Pools(
        STATUSES,
        APPLICATIONS,
        METHOD_NAMES,
        [each.kept or NO_NAME for each in TARGETS],
        [each.bare or NO_NAME for each in TARGETS],
    )

    def __init__(self, variant: str, random: np.random.Generator) -> None:
        self.name = variant
        self._clients = pa.array(clients(random))
        seconds = [f":{n // 60:02}:{n % 60:02}" for n in range(HOUR_SECONDS)]
        if variant == "json":
            self._seconds = pa.array([f'{each}+00:00","request_method":"' for each in seconds])
            self._befores = pa.array([f'{each.strip()}","request_uri":"' for each in BEFORES])
            self._statuses = pa.array([f'","status":{each},"body_bytes_sent":' for each in STATUSES])
            self._hosts = pa.array([f',"host":"{host}","http_user_agent":"' for host, *_ in HOSTS])
            self._agents = pa.array([f'{_as_json(each)}","request_time":' for each in agents()])
            self._durations = pa.array([f"{n / 1000:.3f}}}\n" for n in range(10_000)])
            self._extra = b" 0.013"
            self._substitutions = {
                "no such status": (rb'"status":\d+', b'"status":999'),
                "no such day": (rb"-\d\dT", b"-99T"),
                "quote missing": (rb'"(?=,"request_time)', b""),
                "wrong day": (rb'"20\d\d-', b'"2024-'),
            }
        else:
            self._seconds = pa.array([f'{each} +0000] "' for each in seconds])
            self._befores = pa.array(BEFORES)
            self._protocols = pa.array(ALL_PROTOCOLS)
            self._statuses = pa.array([f'" {each} ' for each in STATUSES])
            self._hosts = pa.array([f"{host} " for host, *_ in HOSTS])
            self._referers = pa.array([f' "{each}" "' for each in referers(random)])
            ends = ["\r\n" if n == CRLF_HOST or variant == "crlf" else "\n" for n in range(len(HOSTS))]
            self._ends = pa.array([f'"{end}' for end in ends])
            self._agents = pa.array(agents())
            self._extra = b' "-" 0.013'
            self._substitutions = {
                "no such status": (rb'" \d{3} (?=[\d-]+ ")', b'" 999 '),
                "no such day": (rb"\[\d\d/", b"[32/"),
                "quote missing": (rb'"(?=\r?\n$)', b""),
                "wrong day": (rb"/20\d\d:", b"/2024:"),
            }

    def hour(
        self, random: np.random.Generator, start: datetime, count: int
    ) -> tuple[FieldHour, pa.Array, Integers]:
        """Make up an hour of so many lines.

        Returns:
            The requests, their lines, and of each the index in REASONS of why it is malformed, or -1.
        """
        hour = FieldHour.make(random, start, count)
        spoilt = np.where(random.random(count) < MALFORMED_SHARE, random.integers(0, len(MALFORMED), count), -1)
        bursts = int(random.poisson(count / LINES_A_BURST)) + (start.hour == BURST_HOUR)
        for _ in range(bursts):
            length = min(BURST_LINES, count // 20)
            begin = int(random.integers(0, count - length)) if count > length else 0
            spoilt[begin : begin + length] = random.choice(IN_BURSTS)
        spoilt[:1] = -1  # an undated file's first line tells its day
        if self.name == "rejects":
            spoilt = random.choice(SHOWN, count)
        return hour, self._spoil(self._write(hour), spoilt), np.where(spoilt < 0, -1, REASON_OF[spoilt])

    def _write(self, hour: FieldHour) -> pa.Array:
        """Return an hour's lines, each with its end."""

        def taken(pool: pa.Array, index: Integers) -> pa.Array:
            return pool.take(pa.array(index))

        size = pa.array(hour.response_bytes).cast(pa.string())
        begins = (taken(self._seconds, hour.second), taken(self._befores, hour.before))
        status = taken(self._statuses, hour.status)
        host, agent = taken(self._hosts, hour.host), taken(self._agents, hour.agent)
        if self.name == "json":
            nothing = pa.array(taken(pa.array(BEFORES), hour.before))
            target = pc.if_else(
                pc.equal(nothing, ""), "", pc.binary_join_element_wise(hour.target, hour.query, "")
            )
            duration = taken(self._durations, hour.milliseconds)
            parts = (
                f'{{"time_iso8601":"{hour.start:%Y-%m-%dT%H}',
                *(*begins, _as_json(target), status, size, host, agent, duration),
            )
        else:
            client, referer = taken(self._clients, hour.client), taken(self._referers, hour.referer)
            parts = (
                *(host, client, f"{hour.start:%d/%b/%Y:%H}", *begins, hour.target, hour.query),
                *(taken(self._protocols, hour.protocol), status, pc.if_else(pa.array(hour.has_size), size, "-")),
                *(referer, agent, taken(self._ends, hour.host)),
            )
        return pc.binary_join_element_wise(*parts, "").cast(pa.binary())

    def _spoil(self, lines: pa.Array, spoilt: Integers) -> pa.Array:
        """Return the lines with those that have an index in MALFORMED, and not -1, malformed in that way."""
        where = np.flatnonzero(spoilt >= 0)
        chosen = lines.take(pa.array(where)).to_pylist()
        made = [
            self._spoilt(line, MALFORMED[spoilt[number]][0], int(number))
            for line, number in zip(chosen, where, strict=True)
        ]
        return pc.replace_with_mask(lines, pa.array(spoilt >= 0), pa.array(made, pa.binary()))

    def _spoilt(self, line: bytes, what: str, number: int) -> bytes:
        if what in self._substitutions:
            return re.sub(*self._substitutions[what], line, count=1)
        text = line.rstrip(b"\r\n")
        made = {
            "cut off": text[: len(text) // 2],
            "glued": text[: len(text) * 2 // 3] + text,
            "blank": b"",
            "garbage": GARBAGE[number % len(GARBAGE)],
            "too many fields": text + self._extra,
        }
        return made[what] + line[len(text) :]


def _as_json(text: str | pa.Array) -> str | pa.Array:
    """Return what a log says in the text of a JSON string."""
    if isinstance(text, str):
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return pc.replace_substring(pc.replace_substring(text, "\\", "\\\\"), '"', '\\"')
