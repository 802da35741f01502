"""Fields that nobody could name, from which a source takes the application all the same."""

from collections.abc import Callable

import pytest

from etl.kernel.layout import PADDING
from etl.lines.batches import Batch
from etl.lines.blocks import BlockParser
from etl.sources.source import Source
from lake.errors import ConfigError

Declare = Callable[..., Source]
HOSTS = ("shop.example.com", "Api.Example.org:80", "-", "", "a b", "[2001:db8::7]:80", 'x"y', '"q"')
SHAPES = {
    "$time_iso8601|$field_2|$field_3|$request|$status|$field_6": "2026-09-17T10:05:03Z|x|{}|GET /a|200|5|0",
    r"$time_local\t$field_2\t$field_3\t$request\t$status": "17/Sep/2026:10:05:03 +0000\tx\t{}\tGET /a\t200",
    '"$field_3" $field_1 [$time_local] "$request" $status': '"{}" x [17/Sep/2026:10:05:03 +0000] "GET /" 200',
    '$field_3 $field_1 [$time_local] "$request" $status': '{} x y [17/Sep/2026:10:05:03 +0000] "GET /" 200',
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_host_is_read_and_makes_no_line_a_reject(declare: Declare, shape: str, *, compiled: bool) -> None:
    """By either parser: names are applications, and what is none is one application that says so."""
    source = declare(format="log_format", log_format=shape, application="field:field_3")
    plain = declare(format="log_format", log_format=shape, application="shop")
    data = "".join(SHAPES[shape].format(host) + "\n" for host in HOSTS).encode()
    found, without = (_batch(each, data, compiled=compiled) for each in (source, plain))
    assert found.numbers.tolist() == without.numbers.tolist()
    names = found.rows["application"].to_pylist()
    assert names[:4] == ["shop.example.com", "api.example.org", "(invalid)", "(invalid)"]
    assert set(names[4:]) <= {"(invalid)", "a"}


@pytest.mark.parametrize("field", ["remote_addr", "remote_user", "field_9", "field_2"])
def test_other_fields_are_none(declare: Declare, field: str) -> None:
    """What is known to be a client's is no application, whatever it is called, nor what the shape lacks."""
    shape = '$remote_addr $field_5 $remote_user [$time_local] "$request" $status'
    with pytest.raises(ConfigError, match=f"application = field:{field}: format log_format can't tell it"):
        declare(format="log_format", log_format=shape, application=f"field:{field}")


def _batch(source: Source, data: bytes, *, compiled: bool) -> Batch:
    parser = BlockParser(source.format, source.classifier, compiled=compiled)
    (batch,) = parser.batches([memoryview(bytearray(data + bytes(PADDING)))[: len(data)]])
    return batch
