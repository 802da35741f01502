"""What is kept of rejected records tells what is wrong with them, and nothing of anybody."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from views import GOOD, HEADER, OF_DAY, VIEWS, read, texts, views

from etl.records.records import Records

SECRETS = (
    "ann@example.org",
    "Mallory Adamson",
    "198.51.100.77",
    "2001:db8:77::abcd",
    "eyJhbGciOiJIUzI1NiJ9.e30.Zq9",
    "+49 171 9876543",
    "0171987654321",
    "4111111111111111",
    "DE89370400440532013000",
    "feedfacecafebeef",
)
AT = st.integers(0, 5)
FIELDS = ["2026-09-17T10:00:00Z", "/a", "2", "0.5", "mobile", "ann"]


def broken(fields, secret, at, how):
    """Return a record that has a secret somewhere, and is shifted, glued, cut off or only wrong."""
    fields = [*fields]
    fields[at] = secret
    shifted = {"left": fields[1:] + fields[:1], "right": fields[-1:] + fields[:-1], "more": ["x", *fields]}
    line = ",".join(shifted.get(how, fields))
    return {
        "glued": line + ",".join(FIELDS),
        "cut": line[:-1],
        "quote": '"' + line,
        "tail": line[len(line) // 2 :],
    }.get(how, line)


HOW = st.sampled_from(["left", "right", "more", "glued", "cut", "quote", "tail", "as it is"])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SECRETS), AT, HOW, st.sampled_from(["csv", "ndjson"]))
def test_no_secret_comes_through_a_broken_record(secret, at, how, shape):
    """Wherever an address, a name, a token or a long number stands in a record, its mask doesn't have it."""
    line = broken(FIELDS, secret, at, how)
    data = HEADER + line.encode() + b"\n" + GOOD
    if shape == "ndjson":
        names = HEADER.decode().strip().split(",")
        whole = json.dumps(dict(zip(names, line.split(","), strict=False)))
        data = (whole if how != "tail" else whole[len(whole) // 2 :]).encode() + b"\n"
    found = read(Records.of(VIEWS, {"format": shape}), data, OF_DAY)
    for mask in found.masks.values():
        for part in re.findall(r"[A-Za-z]{3,}|[0-9]{9,}|[0-9.]{7,}", secret):
            assert part not in mask
        assert len(mask) <= 500
        assert re.fullmatch("[ -~]*", mask)


def test_a_value_is_shown_if_its_column_allows_it():
    """Numbers, times and few values are what the reason is about; free text and what is personal is masked."""
    line = GOOD.replace(b",2,", b",2000,").replace(b"/a", b"/a b\xc3\xa4")
    assert json.loads(views(HEADER + line).masks[1]) == {
        "at": "2026-09-17T10:00:00Z",
        "path": "/x x??",
        "views": "9999",
        "share": "0.5",
        "device": "mobile",
        "reader": "xxx",
    }


@pytest.mark.parametrize(
    ("line", "mask"),
    [
        (b"ann@example.org\n", "xxx@xxxxxxx.xxx"),
        (b'2026-09-17T10:00:00Z,"ann\n', '9999-99-99x99:99:99x,"xxx'),
        (b"\xff\x00,b\tc\r\n", "??,x?x"),
        (b"\r\n", ""),
    ],
)
def test_what_can_not_be_taken_apart_is_masked_whole(line, mask):
    """A time in it is no exception: nothing tells that it stands in its place."""
    assert views(HEADER + line).masks[1] == mask


def test_a_mask_is_short_whatever_a_record_holds():
    """Long values are cut first, so that it stays JSON; of many columns there is not all."""
    long = HEADER + GOOD.replace(b"/a", b"/" + b"a" * 10_000 + b" ")
    mask = views(long).masks[1]
    assert len(mask) <= 500
    assert json.loads(mask)["path"].startswith("/xxx")
    names = [f"column_number_{n}" for n in range(60)]
    data = ",".join(names).encode() + b"\n" + b"\xc3\xa4," * 59 + b"\n"
    contract = texts(*names)
    contract = replace(contract, columns=tuple(replace(each, pattern="[a-z]+") for each in contract.columns))
    (_, mask) = read(Records.of(contract, {"format": "csv"}), data, own_day=0).masks.values()
    assert len(mask) == 500


def test_nothing_is_kept_of_lines_that_are_no_rejects():
    """Noise, headers and lines that go on leave nothing."""
    data = HEADER + GOOD.replace(b"ann", b'"ann\nbob"')
    found = views(data, where="reader = carol")
    assert found.kinds == ["directive", "continued", "noise"]
    assert [*found.masks.values()] == ["", "", ""]
