"""Shards: which raw file belongs to which, and which sources can be read in them."""

import re
from collections.abc import Callable
from datetime import date

import pytest

from etl.sources.shards import Shard, parse_shards
from etl.sources.source import Source
from lake.errors import ConfigError, InputError


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"shards": "0"}, "shards = 0: expected 1 to"),
        ({"shards": "4, 8"}, "shards = 4, 8: expected"),
        ({"shards": "4, 8 from 2015-05-18, 4 from 2015-05-19"}, "expected"),
        ({"shards": "4", "files": "logs/*.log"}, "its files are undated"),
        ({"shards": "4", "duplicates": "lines"}, "duplicates are found by looking at all of a day"),
    ],
)
def test_what_cant_be_read_in_shards_is_refused(
    declare: Callable[..., Source], more: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        declare(**({"files": "logs/{YYYY}-{MM}-{DD}.log"} | more))


def test_from_which_day_on_there_are_how_many() -> None:
    assert parse_shards("64") == ((None, 64),)
    assert parse_shards("1,  64 from 2026-05-01") == ((None, 1), (date(2026, 5, 1), 64))


def test_a_file_belongs_to_one_shard_however_it_is_compressed() -> None:
    """What rotation renumbers has none."""
    for name in ("a/web-2015-05-17.log", "a/web-2015-05-18-07.log"):
        for end in ("", ".gz", ".zst", ".bz2"):
            assert [Shard(n, 7).has(name + end) for n in range(7)] == [Shard(n, 7).has(name) for n in range(7)]
        assert sum(Shard(n, 7).has(name) for n in range(7)) == 1
    with pytest.raises(InputError, match="renumbered"):
        Shard(0, 7).has("web-2015-05-17.log.1.gz")
