"""The file of `applications`: what of it is wrong is said with its line, and nothing is guessed."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from etl.lines.applications import Rule
from etl.sources.applications import read_applications
from etl.sources.source import Source
from lake.errors import ConfigError

HEADER = "host,path_prefix,application,since\n"


def test_a_file_is_read_as_it_is_meant(tmp_path: Path) -> None:
    """Hosts are in lower case, a slash at a prefix's end says nothing, and blank lines and cells are left out."""
    file = tmp_path / "map.csv"
    file.write_text(
        '\ufeffapplication,host,path_prefix,since\n\nshop,Shop.example,/, \n" cart ",,/c/,2026-09-17\n'
    )
    assert read_applications(file).rules == (
        Rule("shop.example", "", "shop"),
        Rule("", "/c", "cart", date(2026, 9, 17)),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no rule. Write a line for each, below the header host,path_prefix,application,since"),
        (HEADER, "line 1: no rule"),
        ("host,path,application\n", "line 1: unknown column 'path'. The first line names the columns: host,"),
        ("host,host,application\n", "line 1: column host twice"),
        ("host,path_prefix\n", "line 1: no column application"),
        (HEADER + "a,/b,shop\n", "line 2: 3 values for the 4 columns host, path_prefix, application, since"),
        (HEADER + "a,/b,shop,\n\nA,/b/,cart,\n", "line 4: line 2 has the same host, path_prefix and since"),
        (HEADER + "a:80,/b,shop,\n", "line 2: host a:80: expected a host name without a port"),
        (HEADER + "192.0.2.1,/b,shop,\n", "line 2: host 192.0.2.1: expected a host name"),
        (HEADER + "a,b,shop,\n", "line 2: path_prefix b: expected a path that begins with '/'"),
        (HEADER + "a,/b?c=d,shop,\n", "line 2: path_prefix /b?c=d: such paths are kept as /b, see"),
        (HEADER + "a,/1234567890,shop,\n", "such paths are kept as /{number}, see"),
        (HEADER + "a,/b//,shop,\n", "line 2: path_prefix /b//: end it with one '/', or none"),
        (HEADER + "a,/b,My Shop,\n", "line 2: application 'My Shop': expected a name like [a-z0-9]"),
        (HEADER + "a,/b,(unmapped),\n", "line 2: application '(unmapped)': expected a name like"),
        (HEADER + "a,/b,,\n", "line 2: application '': expected a name like"),
        (HEADER + "a,/b,shop,17.9.2026\n", "line 2: since 17.9.2026: expected a day as YYYY-MM-DD"),
        (HEADER + 'a,"/b"c,shop,\n', "line 2: ',' expected after '\"'. Write it as CSV"),
        ("application\n" + "a\n" * 2, "line 3: line 2 has the same host"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """A file that may mean something else than it says is refused, with its path, the line and what to do."""
    file = tmp_path / "map.csv"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_applications(file)
    assert str(error.value).startswith(f"applications: {file}, line ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"), [(None, "can't read"), (b"application\nb\xf6b\n", "map.csv is not UTF-8")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, data: bytes | None, message: str) -> None:
    """One that is not there, or is no text, is an error of the configuration."""
    file = tmp_path / "map.csv"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ConfigError, match=message):
        read_applications(file)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"application": "web"}, "application = web and applications = map.csv say two things"),
        ({"application": ""}, "applications = map.csv: it has rules for hosts. Say which field holds the host"),
        ({"application": "field:vhost"}, "format combined can't tell it"),
        ({"applications": "other.csv"}, "can't read .*/other.csv: No such file or directory. Bring the file"),
    ],
)
def test_a_map_and_the_host_that_it_asks_for_go_together(
    declare: Callable[..., Source], tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    """The field of the host is named where there are rules for hosts, and no constant beside a map."""
    tmp_path.joinpath("map.csv").write_text(HEADER + "a.example,/b,shop,\n")
    with pytest.raises(ConfigError, match=message):
        declare(**{"application": "", "applications": "map.csv"} | settings)
