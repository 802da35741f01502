"""Formats: what a whole line of each looks like."""

import re

import pytest

from etl.formats import FIELDS, FORMATS, log_format
from lake.errors import ConfigError

COMMON = '192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 512'
LINES = {
    "common": COMMON,
    "combined": f'{COMMON} "https://example.com/" "curl/8"',
    "vhost_combined": f'shop.example.com:443 {COMMON} "-" "curl/8"',
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", ""])
def test_format_fits_its_own_lines_only(name: str, line_end: str) -> None:
    """A line, whatever its end, fits its own format and none of the others."""
    fitting = [each.name for each in FORMATS.values() if re.fullmatch(each.pattern, LINES[name] + line_end)]
    assert fitting == [name]


@pytest.mark.parametrize("each", FORMATS.values(), ids=lambda each: each.name)
def test_fields_are_named_in_the_order_of_the_line(each: object) -> None:
    """A format's fields are the placeholders of its shape, each of them with a pattern."""
    assert each.shape == each.shape.format(**{name: f"{{{name}}}" for name in each.fields})
    assert set(each.fields) <= set(FIELDS)
    assert list(re.compile(each.pattern).groupindex) == list(each.fields)


def test_every_format_has_a_line_here() -> None:
    """No format can be added without a line of it in these tests."""
    assert set(FORMATS) == set(LINES)


def test_unknown_format_is_refused_with_the_known_ones() -> None:
    """A misspelt format is a ConfigError that lists the right spellings."""
    with pytest.raises(ConfigError, match=r"unknown format 'combind'.*common, combined, vhost_combined"):
        log_format("combind")
