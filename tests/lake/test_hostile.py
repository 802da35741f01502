"""Hostile names: what is not a dataset, source, day or revision of ours becomes no path and no SQL."""

from datetime import date
from pathlib import Path

import pytest

from lake.catalog.connections import connect
from lake.errors import ConfigError
from lake.lake import Lake, open_store
from lake.partition import Partition

NASTY = (
    "../up",
    "a/b",
    "/etc",
    "a'; drop table x; --",
    "a b",
    "A",
    "a\0",
    "a\n",
    "\u202ea",
    "\x1b[31m",
    "",
    "a" * 64,
)
KEYS = (
    *(
        "error_rate/v1/dt=2015-05-17/rev=0'||x||'/part-0.parquet",
        "error_rate/v1/dt=2015-05-17' or 1=1/rev=0/part-0.parquet",
    ),
    *("error_rate/v1/dt=2015-05-17/rev=0/\x1b[31m.parquet", "error_rate/v1/dt=9999-99-99/rev=0/part-0.parquet"),
    *(
        "error_rate/v1/dt=0000-00-00/rev=0/part-0.parquet",
        "error_rate/v1/dt=2015-05-17/rev=9999999/part-0.parquet",
    ),
    *(
        "error_rate/v1/dt=2015-05-17/rev=-1/part-0.parquet",
        "error_rate/v1/dt=2015-05-17/source=x/rev=0/part-0.parquet",
    ),
    "error_rate/v1/dt=2015-05-17/rev=0/part-0.parquet/part-0.parquet",
)


@pytest.mark.parametrize("name", NASTY)
def test_no_partition_has_such_a_name(name, day):
    """Neither its dataset nor its source; so none is looked for, read or written there."""
    for arguments in ((name, 1, day), ("requests", 1, day, name)):
        with pytest.raises(ConfigError, match="is no valid name"):
            Partition(*arguments)


@pytest.mark.parametrize(("version", "revision"), [(0, 0), (-1, 0), (1_000_000, 0), (1, -1), (1, 1_000_000)])
def test_no_partition_has_such_a_number(version, revision, day):
    """Which no key could be read back from."""
    with pytest.raises(ConfigError, match=f"version {version}, revision {revision}"):
        Partition("requests", version, day, "web", revision)


def test_foreign_keys_are_not_asked(store, write_foreign, publish, error_rates, day):
    """Beside a partition lie keys made to break out of a path or of SQL; the catalog shows the partition only."""
    lake = Lake(store)
    publish(lake, Partition("error_rate", 1, day), error_rates(shop=20))
    for key in KEYS:
        if Path(key).parent.name != "part-0.parquet" or store.root.startswith("s3://"):  # a file is no folder
            write_foreign(store, key, b"no Parquet")
    with connect(lake) as connection:
        assert connection.sql("select distinct dt, application, rev from error_rate").fetchall() == [
            (day, "shop", 0)
        ]


def test_a_lake_may_lie_in_a_folder_of_any_name(tmp_path, publish, error_rates):
    """Quotes, comments and line ends in it stay a part of the name."""
    day = date(2015, 5, 17)
    lake = Lake(open_store(str(tmp_path / "it's; drop table x; --\n\x1b\u202e")))
    publish(lake, Partition("error_rate", 1, day), error_rates(shop=20))
    with connect(lake) as connection:
        assert connection.sql("select dt from error_rate").fetchall() == [(day,)]


def test_an_answer_does_nothing_to_a_terminal(make_project, publish, error_rates, day):
    """Whatever text is asked for is shown escaped, and so are the errors; CSV is for programs, and exact."""
    project = make_project("asked")
    publish(Lake(open_store(str(project.folder / "lake"))), Partition("error_rate", 1, day), error_rates(shop=20))
    nasty = "chr(27) || '[31m' || chr(8238) || chr(155)"
    shown = project.run("lake", "sql", f"select {nasty} as text")
    assert not [c for c in shown.stdout if not c.isprintable() and c != "\n"]
    assert "[31m\\u202e" in shown.stdout
    wrong = project.run("lake", "sql", "select \x1b[31m\u202e")
    assert wrong.returncode == 1
    assert not [c for c in wrong.stderr if not c.isprintable() and c != "\n"]
    assert "\x1b[31m\u202e" in project.run("lake", "sql", "--csv", f"select {nasty} as text").stdout
