"""Requests made up for the benchmark, an hour at a time, as columns: the same each time.

It is what a shop's servers see: five hosts, clients that keep their user agent, paths that many and paths
that no other request asks for, times that ascend second by second.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Integers = np.ndarray[Any, np.dtype[np.int64]]

HOURS = 24
HOUR_SECONDS = 3600

HOSTS = ("shop.example.com", "www.example.com", "api.example.com", "static.example.com", "blog.example.com")
METHODS = ("GET", "POST", "HEAD")
METHOD_SHARES = (0.90, 0.08, 0.02)
STATUSES = (200, 301, 304, 403, 404, 500, 502, 503)
STATUS_SHARES = (0.900, 0.010, 0.045, 0.003, 0.032, 0.005, 0.002, 0.003)
NOT_MODIFIED = 304
NOT_MODIFIED_BYTES = 189
CLIENTS = 50_000
REFERERS = 2_000
ITEMS = 5_000
QUOTED_AGENTS = 4
SESSION_SHARE, PAGE_SHARE = 0.10, 0.20
WORDS = (
    *("amber", "anchor", "autumn", "basket", "birch", "button", "candle", "canvas", "cedar", "copper", "cotton"),
    *(
        "crystal",
        "denim",
        "ember",
        "feather",
        "garden",
        "ginger",
        "harbour",
        "hazel",
        "indigo",
        "ivory",
        "jasmine",
    ),
    *("lantern", "lemon", "linen", "maple", "marble", "meadow", "olive", "orchard", "paper", "pebble", "pepper"),
    *("river", "saddle", "silver", "thistle", "timber", "velvet", "willow"),
)

# (masked path, what stands for its token): paths that hold what no path in the lake may
MASKED_PATHS = (
    ("/order/{token}", "uuid"),
    ("/order/{token}/items", "uuid"),
    ("/account/{number}/invoices", "number"),
)
ITEM_PATHS = [f"/item/{n}/{WORDS[n % len(WORDS)]}-{WORDS[n * 7 // len(WORDS) % len(WORDS)]}" for n in range(ITEMS)]
STATIC_PATHS = [
    f"/static/{kind}/{word}.{n:07x}.{kind}" for n, (kind, word) in enumerate(product(("js", "css"), WORDS))
]
TAIL_PATHS = [f"/tag/{a}/{b}/page/{n}" for n in range(1, 61) for a, b in product(WORDS, WORDS)]
PATHS = [*ITEM_PATHS, *STATIC_PATHS, *TAIL_PATHS, "/", "/caf%C3%A9/menu", *(path for path, _ in MASKED_PATHS)]
FIRST_STATIC = len(ITEM_PATHS)
FIRST_TAIL = FIRST_STATIC + len(STATIC_PATHS)
FIRST_MASKED = len(PATHS) - len(MASKED_PATHS)
PATH_KINDS = ("item", "static", "tail", "uuid", "number")
PATH_SHARES = (0.80, 0.10, 0.07, 0.02, 0.01)


def user_agents() -> list[str]:
    """Return 200 user agents; the last QUOTED_AGENTS hold quotes, escaped as servers escape them."""
    windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
    mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
    android = "Mozilla/5.0 (Linux; Android 10; K)"
    iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0"
    agents = [
        f"{system} {chrome.format(n)} Safari/537.36" for n in range(141, 110, -1) for system in (windows, mac)
    ]
    agents += [f"{android} {chrome.format(n)} Mobile Safari/537.36" for n in range(141, 111, -1)]
    agents += [f"{windows} {chrome.format(n)} Safari/537.36 Edg/{n}.0.0.0" for n in range(141, 121, -1)]
    agents += [f"{windows[:-1]}; rv:{n}.0) Gecko/20100101 Firefox/{n}.0" for n in range(143, 113, -1)]
    agents += [f"{iphone.format(n)} Version/18.{n} Mobile/15E148 Safari/604.1" for n in range(20)]
    agents += [f"curl/8.{n}.0" for n in range(14)] + [f"python-requests/2.{n}.0" for n in range(20, 33)]
    agents += [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Go-http-client/2.0",
        "Apache-HttpClient/4.5.14 (Java/17.0.10)",
        "-",
    ]
    agents += [rf"ShopApp/{n}.2 (\"{name}\"; Android 14)" for n, name in enumerate(("Pixel 8", "A54", "X5", "G"))]
    return agents


def combined_clients(random: np.random.Generator) -> list[str]:
    """Return what the combined formats log of each client before the time; few have IPv6 or a user name."""
    numbers = random.integers(0, 1 << 16, (CLIENTS, 4)).tolist()
    kinds = random.random(CLIENTS).tolist()
    return [
        f"2001:db8:{a:x}:{b:x}::{c:x} - - ["
        if kind < 0.03
        else f"198.18.{a & 255}.{b & 255} - {WORDS[c % len(WORDS)] if kind > 0.995 else '-'} ["
        for (a, b, c, _), kind in zip(numbers, kinds, strict=True)
    ]


def referers(random: np.random.Generator) -> list[str]:
    """Return referers: none, a search engine, and mostly pages of our own."""
    own = [f"https://{HOSTS[n % 2]}{ITEM_PATHS[n]}" for n in random.integers(0, ITEMS, REFERERS).tolist()]
    return [("-", "https://www.google.com/", page, f"{page}?page={n % 9}")[n % 4] for n, page in enumerate(own)]


@dataclass(frozen=True)
class Hour:
    """The requests of one hour as columns; what is a choice from a pool is its index there."""

    start: datetime
    second: Integers
    host: Integers
    client: Integers
    method: Integers
    path_index: Integers
    path: pa.Array
    query: pa.Array
    status: Integers
    response_bytes: Integers
    referer: Integers
    milliseconds: Integers

    @property
    def application(self) -> Integers:
        """Index in HOSTS."""
        return self.host

    @property
    def own_path(self) -> None:
        """None: all paths are in PATHS."""
        return

    @classmethod
    def make(cls, random: np.random.Generator, start: datetime, lines: int, hexadecimal: pa.Array) -> "Hour":
        """Make up an hour of so many requests."""

        def choose(shares: tuple[float, ...]) -> Integers:
            return np.searchsorted(np.cumsum(shares)[:-1], random.random(lines), side="right")

        def few_often(count: int, skew: int) -> Integers:
            return (count * random.random(lines) ** skew).astype(np.int64)

        def digits(chosen: Integers, groups: int) -> list[pa.Array]:
            return [hexadecimal.take(pa.array(random.integers(0, 1 << 16, len(chosen)))) for _ in range(groups)]

        kind = choose(PATH_SHARES)
        ranges = ((0, ITEMS), (FIRST_STATIC, FIRST_TAIL), (FIRST_TAIL, FIRST_MASKED))
        path_index = np.zeros(lines, dtype=np.int64)
        for n, ((first, stop), skew) in enumerate(zip(ranges, (3, 2, 1), strict=True)):
            path_index = np.where(kind == n, first + few_often(stop - first, skew), path_index)
        path_index[kind == PATH_KINDS.index("uuid")] = FIRST_MASKED
        path_index[(kind == PATH_KINDS.index("uuid")) & (random.random(lines) < 1 / 2)] = FIRST_MASKED + 1
        path_index[kind == PATH_KINDS.index("number")] = FIRST_MASKED + 2
        path = pa.array(PATHS).take(pa.array(path_index))
        for n, (masked, holds) in enumerate(MASKED_PATHS, FIRST_MASKED):
            chosen = path_index == n
            where = np.flatnonzero(chosen)
            before, _, after = re.split(r"(\{\w+\})", masked)
            if holds == "uuid":
                a, b, c, d, e, f, g, h = digits(where, 8)
                held = pc.binary_join_element_wise(pc.binary_join_element_wise(a, b, ""), c, d, e, f, "-")
                held = pc.binary_join_element_wise(held, g, h, "")
            else:
                held = pa.array(random.integers(10**9, 10**10, len(where))).cast(pa.string())
            whole = pc.binary_join_element_wise(before, held, after, "")
            path = pc.replace_with_mask(path, pa.array(chosen), whole)

        queries = pa.array(["", *(f"?page={n}&sort={word}" for n, word in enumerate(WORDS))])
        asks = random.random(lines)
        page = np.where(asks < PAGE_SHARE, 1 + few_often(len(WORDS), 1), 0)
        query = queries.take(pa.array(page))
        has_session = asks > 1 - SESSION_SHARE
        session = pc.binary_join_element_wise("?session=", *digits(np.flatnonzero(has_session), 3), "")
        query = pc.replace_with_mask(query, pa.array(has_session), session)

        status = choose(STATUS_SHARES)
        sizes = np.minimum(np.exp(random.normal(8.5, 1.6, lines)), 50e6).astype(np.int64)
        return cls(
            start=start,
            second=np.arange(lines) * HOUR_SECONDS // max(lines, 1),
            host=few_often(len(HOSTS), 1),
            client=few_often(CLIENTS, 2),
            method=choose(METHOD_SHARES),
            path_index=path_index,
            path=path,
            query=query,
            status=status,
            response_bytes=np.where(status == STATUSES.index(NOT_MODIFIED), NOT_MODIFIED_BYTES, sizes),
            referer=few_often(REFERERS, 2),
            milliseconds=np.minimum(random.exponential(80, lines), 9_999).astype(np.int64),
        )
