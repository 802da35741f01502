"""Where a lake lies is no column of it."""

import duckdb
import pytest

from lake.catalog import file as catalog_file
from lake.catalog.cache import Cache
from lake.catalog.connections import connect, read
from lake.catalog.pull import pull
from lake.contracts import CONTRACTS
from lake.lake import Lake, open_store
from lake.partition import Partition

RATES = CONTRACTS["error_rate"]
QUERY = "from error_rate order by all"


@pytest.fixture(params=["disk", "s3"])
def there(request, tmp_path, publish, error_rates, day):
    """A lake below a folder that is named as a partition of somebody else's is, with a day that was restated."""
    if request.param == "disk":
        made = Lake(open_store(f"{tmp_path}/env=prod/lake"))
    else:
        root, moto_url = request.getfixturevalue("s3_root"), request.getfixturevalue("moto_url")
        made = Lake(open_store(f"{root}/env=prod/month=5", moto_url))
    for revision in range(2):
        publish(made, Partition("error_rate", 1, day, revision=revision), error_rates(shop=revision, api=5))
    return made


def test_another_key_in_the_root_is_no_column(there, day, tmp_path):
    """`env=prod/` in the path of a lake changes no answer, of whichever reader."""
    columns = ["dt", *RATES.schema.names, "rev"]
    rows = read(there, RATES).sort_by("application")
    assert rows.column_names == columns
    assert rows.select(["dt", "application", "server_error_requests", "rev"]).to_pylist() == [
        {"dt": day, "application": name, "server_error_requests": errors, "rev": 1}
        for name, errors in (("api", 5), ("shop", 1))
    ]
    expected = [tuple(row[name] for name in columns) for row in rows.to_pylist()]
    with connect(there) as connection:
        assert connection.sql(QUERY).fetchall() == expected
        assert connection.sql("from error_rate_history").columns == columns
        assert connection.execute("select count(*) from provenance").fetchone() == (2,)
    pull(there, RATES, Cache.of(there))
    with connect(there) as connection:
        assert connection.sql(QUERY).fetchall() == expected
    if "://" not in there.root:
        catalog_file.write(there, tmp_path / "lake.duckdb")
        with duckdb.connect(str(tmp_path / "lake.duckdb")) as connection:
            assert connection.sql(QUERY).fetchall() == expected
            assert connection.sql("from error_rate_files").columns == ["dt", "rev", "file", "bytes", "published"]


def test_a_root_that_names_a_column_can_be_reached_by_a_link(tmp_path, publish, error_rates, day):
    """What was published in such a place is not lost: as a link names it, its rows are what they are."""
    (tmp_path / "application=web").mkdir()
    (tmp_path / "web").symlink_to("application=web")
    made = Lake(open_store(f"{tmp_path}/web/lake"))
    publish(made, Partition("error_rate", 1, day), error_rates(shop=1))
    with connect(made) as connection:
        assert connection.sql("select application from error_rate").fetchall() == [("shop",)]
