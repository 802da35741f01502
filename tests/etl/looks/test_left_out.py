"""Files that `files` has to take: those that were given, in other folders too, and those that are named alike."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from etl.looks import identify
from etl.looks.left_out import left_out, widened
from etl.raw.files import RawFile

LINE = b'192.0.2.7 - - [17/Sep/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "x"\n'


def _found(folder: Path, there: Sequence[str], given: Sequence[str]) -> identify.Reading:
    for each in there:
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / each).write_bytes(LINE)
    beside = [RawFile(each, str(folder / each), None) for each in given[:-1]]
    reading = identify.identify(LINE)[0]
    return identify.suggestion(reading, LINE, given[-1], folder, beside=beside)


def test_given_files_of_several_folders_are_one_log(tmp_path: Path) -> None:
    """Hosts' folders, before or after the date; the date is each file's own."""
    names = [f"{folder}/access.log-20260917" for folder in ("logs/web01", "logs/db")]
    found = _found(tmp_path, names, names)
    assert found.settings["files"] == "logs/*/access.log-{YYYY}{MM}{DD}"
    assert (found.left_out, found.elsewhere) == ((), ())


def test_files_that_are_named_alike_and_left_out_are_named(tmp_path: Path) -> None:
    """Those of the same folder, and those that were given; not those of another log."""
    names = ["a/access.log-20260917", "a/access.log-17.part", "a/error.log-20260917", "a/access.log-2026-W38"]
    found = _found(tmp_path, names, [names[2], names[0]])
    assert found.settings["files"] == "a/access.log-{YYYY}{MM}{DD}"
    assert found.left_out == ("a/access.log-2026-W38", "a/error.log-20260917")


def test_files_of_another_host_are_named_but_may_be_another_log(tmp_path: Path) -> None:
    """Where only one host's was given."""
    found = _found(tmp_path, [f"web{n}/access.log" for n in (1, 2, 13)], ["web2/access.log"])
    assert found.settings["files"] == "web2/access.log"
    assert (found.left_out, found.elsewhere) == ((), ("web1/access.log", "web13/access.log"))


def test_files_of_another_stream_are_named(tmp_path: Path) -> None:
    """CloudWatch's export has a folder for each, named by chance."""
    names = [f"export/{digit * 32}/000000.gz" for digit in "1a2"]
    assert _found(tmp_path, names, names[-1:]).elsewhere == (names[0], names[1])


def test_the_file_that_is_still_written_to_is_not_missed() -> None:
    """It gets a name that is taken."""
    files, there = "access.log-{YYYY}{MM}{DD}", ["access.log", "access.log-20260917"]
    assert left_out(files, there[1], there, (), "access.log") == []
    assert left_out(files, there[1], there, (), None) == ["access.log"]


@pytest.mark.parametrize(
    ("files", "given", "expected"),
    [
        ("s3://b/a/{YYYY}{MM}{DD}.log", "s3://c/a/20260917.log", "s3://b/a/{YYYY}{MM}{DD}.log"),
        ("s3://b/a/{YYYY}{MM}{DD}.log", "s3://b/c/20260917.log", "s3://b/*/{YYYY}{MM}{DD}.log"),
        ("a/access.log", "b/c/access.log", "a/access.log"),
        ("a/access.log", "b/error.log", "a/access.log"),
    ],
)
def test_only_folders_are_taken_for_others_of_the_same_log(files: str, given: str, expected: str) -> None:
    """No bucket, no name, and no other depth."""
    assert widened(files, [given]) == expected
