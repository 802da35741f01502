"""What luigi.cfg says of records, and what is refused."""

import pickle
from dataclasses import replace

import pyarrow as pa
import pytest
from views import VIEWS

from etl.records.records import KEYS, Records
from lake.contract import Column, Contract
from lake.errors import ConfigError


def test_columns_are_read_from_the_fields_of_their_names():
    """Without another word, a field is called as its column."""
    records = Records.of(VIEWS, {"format": "csv", "files": "x"})
    assert records.fields == {each.name: each.name for each in VIEWS.columns}
    assert (records.day_field, records.timezone, records.delimiter, records.where) == (None, None, ",", ())
    assert records.declared == (("format", "csv"),)


def test_all_that_can_be_said_is_read():
    """Pairs stand between commas or line ends; what is declared is kept for the digest of the settings."""
    values = {
        "format": "csv",
        "fields": "at = Time of view, path=URL\n  views = n = 1",
        "timezone": "Europe/Berlin",
        "delimiter": "tab",
        "where": "device = mobile, device = desktop\nviews = 3",
    }
    records = Records.of(VIEWS, values)
    assert records.fields["at"] == "Time of view"
    assert records.fields["path"] == "URL"
    assert records.fields["views"] == "n = 1"
    assert [name for name, _ in records.read_fields] == [
        "Time of view",
        "URL",
        "n = 1",
        "share",
        "device",
        "reader",
    ]
    assert dict(records.read_fields)["share"] == pa.float64()
    assert records.timezone == "Europe/Berlin"
    assert records.delimiter == "\t"
    assert records.where == (("device", "mobile"), ("device", "desktop"), ("views", "3"))
    assert [key for key, _ in records.declared] == [each for each in KEYS if each != "sheet"]
    assert Records.of(VIEWS, {"format": "excel", "sheet": "Views"}).sheet == "Views"
    assert pickle.loads(pickle.dumps(records)) == records  # noqa: S301 - our own
    assert hash(records) == hash(replace(records))


def test_a_day_may_have_a_field_of_its_own():
    """Of a dataset without a time, `dt` says where the day is."""
    dated = replace(VIEWS, time=None)
    records = Records.of(dated, {"format": "ndjson", "fields": "dt = day"})
    assert records.day_field == "day"
    assert records.read_fields[-1] == ("day", pa.null())
    assert "dt" not in records.fields


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"format": "xml"}, "format = xml: expected csv, ndjson, parquet or excel for records."),
        ({"format": ""}, "format = : expected csv, ndjson, parquet or excel for records."),
        ({"sheet": "Views"}, "sheet: not for format csv, only for excel. Take the key out."),
        ({"fields": "pth = url"}, "fields: page_views has no column 'pth'. Expected one of at, path, "),
        ({"fields": "pth = url"}, "Did you mean 'path'?"),
        ({"fields": "path"}, "fields: path: expected `column = field of the record`."),
        ({"fields": "path ="}, "fields: path =: expected `column = field of the record`."),
        ({"fields": "path = a, path = b"}, "fields: path stands there twice. Take one out."),
        ({"fields": "dt = day"}, "fields: dt = day: a record of page_views is of the day of its at. Take dt out."),
        ({"timezone": "Mars"}, "timezone = Mars: expected an IANA time zone, like Europe/Berlin."),
        ({"timezone": "../etc"}, "timezone = ../etc: expected an IANA time zone"),
        ({"delimiter": ",,"}, "delimiter = ,,: expected one character, such as ; or |, or the word tab."),
        ({"delimiter": '"'}, 'delimiter = ": expected one character'),
        ({"delimiter": "a"}, "delimiter = a: expected one character"),
        ({"delimiter": "\u00a7"}, "delimiter = \u00a7: expected one character"),
        (
            {"format": "ndjson", "delimiter": ";"},
            "delimiter: not for format ndjson, only for csv. Take the key out.",
        ),
        ({"where": "device"}, "where: device: expected `column = value`."),
        ({"where": "devices = x"}, "where: page_views has no column 'devices'. Expected one of at, path, "),
        ({"where": "views = many"}, "where: views = many: expected a value of type int64."),
    ],
)
def test_what_can_not_be_meant_is_refused(values, said):
    """The message says what is expected, and what to do."""
    with pytest.raises(ConfigError) as refusal:
        Records.of(VIEWS, {"format": "csv"} | values)
    assert said in str(refusal.value)


def test_a_time_is_a_timestamp():
    """A column of dates can't be the time of a contract."""
    contract = Contract("days", 1, "a day", (Column("day", pa.date32(), "day", "it"),), time="day")
    with pytest.raises(ConfigError, match=r"dataset days: its time, day, is date32.* as dt = FIELD"):
        Records.of(contract, {"format": "csv"})


def test_a_column_that_no_field_is_read_as_is_refused():
    """Its type is named, and those that are read."""
    contract = Contract("sounds", 1, "a sound", (Column("data", pa.binary(), "bytes", "it"),))
    with pytest.raises(
        ConfigError, match="dataset sounds: column data is binary, which no field of a record is read"
    ):
        Records.of(contract, {"format": "csv"})
