"""The naming convention: which keys are ours, and which partition they name."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import ConfigError
from lake.evidence import Evidence
from lake.partition import NAME, Partition, check_name, parse_day

names = st.from_regex(NAME, fullmatch=True)
numbers = st.integers(1, 999_999)
partitions = st.builds(Partition, names, numbers, st.dates(), st.none() | names, st.just(0) | numbers)


@given(partitions)
def test_a_key_names_its_partition(partition):
    """Whatever the partition, its key is read back as that partition."""
    assert Partition.parse(partition.key) == partition


@given(st.from_regex(r"\Ax/v\d\d?/dt=\d{4}-\d\d-\d\d/(source=\w/)?rev=\d\d?/part-0\.parquet\n?\Z"))
def test_a_partition_has_one_key(key):
    """A key is read as a partition only if it is that partition's own key, to the letter."""
    found = Partition.parse(key)
    assert found is None or found.key == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "error_rate/v1/dt=2015-02-30/rev=0/part-0.parquet",
        "error_rate/v1/dt=2015-2-3/rev=0/part-0.parquet",
        "error_rate/v1/dt=20150203/rev=0/part-0.parquet",
        "error_rate/v1/dt=0000-01-01/rev=0/part-0.parquet",
        "error_rate/v0/dt=2015-02-03/rev=0/part-0.parquet",
        "error_rate/v01/dt=2015-02-03/rev=0/part-0.parquet",
        "error_rate/v1१/dt=2015-02-03/rev=0/part-0.parquet",
        "error_rate/v1/dt=2015-02-03/rev=1१/part-0.parquet",
        "error_rate/v1/dt=2015-02-03/rev=01/part-0.parquet",
        "error_rate/v1/dt=2015-02-03/rev=-1/part-0.parquet",
        "error_rate/v1/dt=2015-02-03/rev=0/part-1.parquet",
        "error_rate/v1/dt=2015-02-03/rev=0/part-0.parquet.tmp",
        "error_rate/v1/dt=2015-02-03/part-0.parquet",
        "error_rate/v1/dt=2015-02-03/rev=0/source=web/part-0.parquet",
        "error_rate/v1/dt=2015-02-03/source=/rev=0/part-0.parquet",
        "error_rate/v1/dt=2015-02-03/source=../rev=0/part-0.parquet",
        "error_rate/v1/dt=2015-02-03/source=a/b/rev=0/part-0.parquet",
        "../error_rate/v1/dt=2015-02-03/rev=0/part-0.parquet",
        "/error_rate/v1/dt=2015-02-03/rev=0/part-0.parquet",
        "Error_rate/v1/dt=2015-02-03/rev=0/part-0.parquet",
        "_staging/abc/error_rate.unfinished",
    ],
)
def test_foreign_keys_name_nothing(key):
    """Keys that follow another convention are no partitions."""
    assert Partition.parse(key) is None


@pytest.mark.parametrize(
    "size", ["", "007", "1e3", "१", "9" * 17, pytest.param("9" * 5000, id="thousands of digits")]
)
def test_a_record_of_evidence_has_one_name(size):
    """A size that is written in another way, or that no object has, is of another convention."""
    name = Evidence("error_rate/v1/dt=2015-05-17/rev=0/part-0.parquet", "0" * 64, 12).name
    assert Evidence.parse(name.replace("_12.", f"_{size}.")) is None


def test_the_convention():
    """The folders are as design and README say, for external readers rely on them."""
    assert Partition("requests", 1, date(2015, 5, 17), "web", 2).key == (
        "requests/v1/dt=2015-05-17/source=web/rev=2/part-0.parquet"
    )


def test_messages_name_a_partition_in_words():
    """Dataset, version, day, source and revision are in the text that messages show."""
    assert str(Partition("requests", 1, date(2015, 5, 17), "web", 2)) == (
        "requests v1 2015-05-17 of source web revision 2"
    )


@given(names)
def test_good_names_pass(name):
    """A name that may stand in a path comes back as it is."""
    assert check_name("source", name) == name


@pytest.mark.parametrize("name", ["", "Web", "1web", "_web", "a b", "a/b", "..", "a" * 64, "wéb", "web\n"])
def test_bad_names_are_refused(name):
    """Anything else is refused with the name in the message."""
    with pytest.raises(ConfigError) as refusal:
        check_name("source", name)
    assert f"source {name!r}" in str(refusal.value)


@pytest.mark.parametrize(
    ("dataset", "source", "said"),
    [
        ("Requests", None, "dataset 'Requests' is no valid name"),
        ("requests", "../web", "source '../web' is no"),
    ],
)
def test_a_partition_of_a_bad_name_is_refused(dataset, source, said):
    """The message says which of its names it is."""
    with pytest.raises(ConfigError, match=f"^{said}"):
        Partition(dataset, 1, date(2015, 5, 17), source)


@pytest.mark.parametrize("text", ["1970-01-01", "2015-05-17", "2999-12-31"])
def test_days_are_those_of_a_thousand_years(text):
    """From the first to the last."""
    assert parse_day(text).isoformat() == text


@pytest.mark.parametrize("text", ["1969-12-31", "3000-01-01", "2015-02-29", "20150517", "2015-W20-7", "", "today"])
def test_what_is_no_day_is_refused(text):
    """Before them, after them, and in other notations that Python reads."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_day(text)
