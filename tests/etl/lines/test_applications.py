"""Maps of applications: which rule counts for a request, by whichever parser, and what of it a lake knows."""

import hashlib
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from etl.lines import blocks
from etl.lines.applications import Applications, Rule
from etl.sources.source import Source
from etl.steps.extract import extract_day
from lake.contracts import contract
from lake.lake import Lake
from lake.partition import Partition, days_since_epoch

NOON = datetime(2026, 9, 17, 12)
DAY = NOON.date()
LATER = DAY + timedelta(days=1)
MAP = """\
host,path_prefix,application,since
shop.example.com,/,shop,
shop.example.com,/cart,cart,
shop.example.com,/cart/v2/,cart-v2,
Shop.Example.com,/cart/v2,cart-next,2026-09-18
,/status,status,
,/cart/v2,any-cart,
api.example.com,/pay,pay,2026-09-18
"""
# A host, the target of a request, and what it is on the day and on the next one
GOLDEN = (
    ("shop.example.com", "/", "shop", "shop"),
    ("SHOP.example.com:8443", "/about", "shop", "shop"),
    ("shop.example.com", "/cart", "cart", "cart"),
    ("shop.example.com", "/cart/", "cart", "cart"),
    ("shop.example.com", "/carts", "shop", "shop"),
    ("shop.example.com", "/cart?cart=/cart/v2", "cart", "cart"),
    ("shop.example.com", "/cart;v=2/v2", "cart", "cart"),
    ("shop.example.com", "/cart/v20", "cart", "cart"),
    ("shop.example.com", "/cart/v2/pay", "cart-v2", "cart-next"),
    ("shop.example.com", "/Cart", "shop", "shop"),
    ("shop.example.com", "/status/ready", "status", "status"),
    ("shop.example.com", "*", "shop", "shop"),
    ("api.example.com", "/cart/v2", "any-cart", "any-cart"),
    ("api.example.com", "/cart", "(unmapped)", "(unmapped)"),
    ("api.example.com", "/pay/1", "(unmapped)", "pay"),
    ("192.0.2.1", "/status", "status", "status"),
    ("192.0.2.1", "/", "(unmapped)", "(unmapped)"),
    ("carol@example.org", "/carol", "(unmapped)", "(unmapped)"),
    ("shop.example.com", "/a b", "shop", "shop"),
)
Declare = Callable[..., Source]


@pytest.fixture
def mapped(declare: Declare, tmp_path: Path) -> Source:
    """A source of lines with hosts, and MAP."""
    tmp_path.joinpath("map.csv").write_text(MAP)
    return declare(format="vhost_combined", application="field:vhost", applications="map.csv")


@pytest.fixture
def log(tmp_path: Path, log_line: Callable[..., bytes]) -> None:
    """The requests of GOLDEN, on the day and on the next one; a user's name makes some too hard for the kernel."""
    tmp_path.joinpath("access.log").write_bytes(
        b"".join(
            log_line(time, vhost=host, request=f"GET {target} HTTP/1.1", user=user)
            for time in (NOON, NOON + timedelta(days=1))
            for user in ("-", "carol smith")
            for host, target, *_ in GOLDEN
        )
    )


def _file(lake: Lake, day: date) -> Path:
    return Path(lake.root) / Partition("requests", contract("requests").version, day, "web").key


def _footer(lake: Lake, day: date) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pq.read_metadata(_file(lake, day)).metadata[b"provenance"])
    return found


@pytest.mark.usefixtures("log")
def test_the_longest_prefix_counts_from_its_day_on_by_either_parser(
    monkeypatch: pytest.MonkeyPatch, mapped: Source, new_lake: Callable[[str], Lake]
) -> None:
    """Each request is of the application that the map has for it on its day; both parsers' bytes are the same."""
    found = {}
    for parser, worth in (("compiled", 0), ("plain", 1 << 40)):
        monkeypatch.setattr(blocks, "WORTH_LOADING", worth)
        lake = new_lake(parser)
        for day in (DAY, LATER):
            extract_day(lake, mapped, day)
            expected = [each[2 + (day == LATER)] for each in GOLDEN] * 2
            assert pq.ParquetFile(_file(lake, day)).read()["application"].to_pylist() == expected
            assert _footer(lake, day)["unmapped"] == expected.count("(unmapped)")
        found[parser] = [hashlib.sha256(_file(lake, day).read_bytes()).hexdigest() for day in (DAY, LATER)]
    assert found["compiled"] == found["plain"]


@pytest.mark.usefixtures("log")
def test_only_names_of_the_map_reach_the_lake(mapped: Source, lake: Lake) -> None:
    """A host that no rule names is kept nowhere, be it a name, an address or a person's."""
    extract_day(lake, mapped, DAY)
    text = _file(lake, DAY).read_bytes() + str(pq.ParquetFile(_file(lake, DAY)).read().to_pylist()).encode()
    assert b"any-cart" in text
    assert [each for each in (b"example.com", b"example.org", b"192.0.2") if each in text.lower()] == []


def test_rows_of_several_days_in_one_batch_are_each_of_their_day() -> None:
    """A rule that begins, and one that replaces another, hold from their day on."""
    rules = Applications((Rule("", "/a", "new", LATER), Rule("", "/a", "old"), Rule("", "/b", "b", LATER)))
    days = np.array([days_since_epoch(each) for each in (DAY, LATER, DAY, LATER)])
    places = rules.places(days, (np.full(4, -1), []), (np.array([0, 0, 1, 1]), ["/a/1", "/b"]))
    assert [rules.names[each] for each in places] == ["old", "new", "(unmapped)", "b"]


def test_what_is_remembered_of_paths_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few are remembered, how long they are, and how often they come."""
    rules = Applications((Rule("", "/a", "a"), Rule("", "/a/b", "b"), Rule("", "/c", "c")))
    paths = ["/a/b/1", None, "*", "/a/" + "long" * 100, "/ab", "/c", "/a/b", "/a"]
    expected = ["b", "(unmapped)", "(unmapped)", "a", "(unmapped)", "c", "b", "a"]
    days, places = np.full(len(paths), days_since_epoch(DAY)), np.arange(len(paths))
    monkeypatch.setattr("etl.lines.applications.MOST_SEEN", 5)
    for _ in range(4):
        found = rules.places(days, (np.full(len(paths), -1), []), (places, paths))
        assert [rules.names[each] for each in found] == expected
        assert len(rules._seen) <= 5 + len(paths)  # noqa: SLF001 - what bounds its memory


def test_rules_of_paths_need_no_host(
    declare: Declare, lake: Lake, tmp_path: Path, log_line: Callable[..., bytes]
) -> None:
    """A format without a host can be mapped, too; a request whose path can't be read has no prefix."""
    tmp_path.joinpath("map.csv").write_text("path_prefix,application\n/a,one\n")
    targets = ("GET /a HTTP/1.1", "GET /b HTTP/1.1", "\\x16\\x03")
    tmp_path.joinpath("access.log").write_bytes(b"".join(log_line(NOON, request=each) for each in targets))
    extract_day(lake, declare(application="", applications="map.csv"), DAY)
    rows = pq.ParquetFile(_file(lake, DAY)).read()
    assert rows["application"].to_pylist() == ["one", "(unmapped)", "(unmapped)"]


def test_a_change_concerns_the_days_from_which_it_holds(declare: Declare, tmp_path: Path) -> None:
    """Days before a new rule's are not outdated by it, and none by another order, case or slash at the end."""

    def known(text: str, day: date) -> frozenset[str]:
        tmp_path.joinpath("map.csv").write_text(text)
        source = declare(format="vhost_combined", application="field:vhost", applications="map.csv")
        return source.on(day).known_as

    header, *lines = MAP.splitlines(keepends=True)
    more = f"{MAP},/new,new,2026-09-18\n"
    assert known(MAP, DAY) == known(more, DAY)
    assert not known(MAP, LATER) & known(more, LATER)
    assert known(MAP, LATER) == known(header + "".join(reversed(lines)).replace("/v2/", "/v2"), LATER)
    assert not known(MAP, DAY) & declare(format="vhost_combined", application="field:vhost").known_as
