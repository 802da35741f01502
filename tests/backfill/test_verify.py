"""`lake verify`: each way in which a lake can be spoilt is found and named, and nothing is repaired."""

import os
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from etl import cli
from lake.evidence import Evidence
from lake.verify import LAW

RANGE = ("--start", "2015-05-17", "--stop", "2015-05-21")
DAY = "dt=2015-05-18"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder for what was built once."""
    return tmp_path_factory.mktemp("kept") / "project"


@pytest.fixture
def built(a_project, kept, monkeypatch):
    """The project with its four days of all metrics built."""
    if not kept.exists():
        for of in ("ErrorRateDaily", "StatusMixDaily"):
            assert a_project.run("backfill", "run", "--of", of, *RANGE).returncode == 0
        shutil.copytree(a_project.folder, kept)
    else:  # and only then: nobody but root may write over what is published
        shutil.copytree(kept, a_project.folder, dirs_exist_ok=True)
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(a_project.folder / "luigi.cfg"))
    return a_project


@pytest.fixture
def verify(monkeypatch, capsys):
    """Return a function that runs the command in this process, and returns its exit code and what it says."""

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["lake", "verify", *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def partition(project, dataset, day=DAY):
    """Return the file of a day's first revision, made writable as root's tools would."""
    (path,) = (project.folder / f"lake/{dataset}/v1/{day}").rglob("*.parquet")
    path.chmod(0o644)
    return path


@pytest.fixture
def found(built, verify):
    """Return a function that returns the findings; the exit code and the summary agree with them."""

    def files():
        return {path: path.read_bytes() for path in (built.folder / "lake").rglob("*") if path.is_file()}

    def run(*options):
        before = files()
        code, out, err = verify(*options)
        *findings, summary = out.splitlines()
        assert err == ""
        assert code == (1 if findings else 0)
        assert f"; {len(findings)} findings. " in summary
        assert files() == before  # it repairs nothing, and leaves nothing
        return findings

    return run


def test_a_sound_lake_is_sound(built, found, verify):
    """Read lightly, to the last byte, in part, and made anew; restated, too."""
    for options in ((), ("--deep",), ("--dataset", "error_rate"), RANGE, ("--rebuild-sample", "16")):
        assert found(*options) == []
    assert (
        "28 partitions read to the last byte, 28 of them rebuilt" in verify("--deep", "--rebuild-sample", "99")[1]
    )
    with (built.folder / "logs/2015-05-18.log").open("a") as log:
        log.write('192.0.2.1 - - [18/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 10 "-" "curl"\n')
    restate = ("--of", "ErrorRateDaily", "--late", "--reason", "more came", "--yes")
    assert built.run("backfill", "restate", *restate, *RANGE).returncode == 0
    assert found("--dataset", "error_rate", "--deep") == []


def test_every_partition_has_its_record(built):
    """It says which bytes were published under which key."""
    lake = built.folder / "lake"
    names = [str(each.relative_to(lake)) for each in lake.rglob("*.json")]
    records = {record.key: record for name in names if (record := Evidence.parse(name))}
    assert records.keys() == built.published().keys()
    for key, content in built.published().items():
        assert records[key].bytes == len(content)
        assert records[key].name in names


def test_a_flipped_byte_is_found(built, found):
    """By its digest; a light look sees only sizes and footers."""
    path = partition(built, "requests")
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)
    name = f"requests/v1/{DAY}/source=web/rev=0/part-0.parquet"
    finding, *of_what_is_made_from_it = found("--deep")
    assert finding.startswith(f"{name}: changed: its sha256 is ")
    assert all(name in each for each in of_what_is_made_from_it)


def test_a_cut_file_is_found(built, found, verify):
    """By its size, and because it has no footer."""
    path = partition(built, "error_rate")
    path.write_bytes(path.read_bytes()[:-100])
    first, second = found()
    assert "changed: it has" in first
    assert "unreadable: " in second
    code, out, err = verify("--dataset", "error_rate", "--rebuild-sample", "4")
    assert (code, err) == (1, "")
    assert "rev=0/part-0.parquet: not rebuilt: " in out


def test_a_swapped_file_is_found(built, found):
    """Another day's file under this day's name says in its footer what it is."""
    shutil.copy(partition(built, "error_rate", "dt=2015-05-17"), partition(built, "error_rate"))
    findings = found()
    assert any("swapped: by its footer it is error_rate/v1/dt=2015-05-17/rev=0/" in each for each in findings)
    assert any(": changed: its sha256 is" in each for each in found("--deep"))


def test_a_deleted_partition_is_found(built, found):
    """The last one of the chain too; and by what was made from it."""
    partition(built, "error_rate").unlink()
    (finding,) = found()
    assert finding.startswith(f"error_rate/v1/{DAY}/rev=0/part-0.parquet: gone: its publication was recorded")
    partition(built, "requests", "dt=2015-05-19").unlink()
    gone = "requests/v1/dt=2015-05-19/source=web/rev=0/part-0.parquet"
    findings = found()
    assert any(each.startswith(f"{gone}: gone") for each in findings)
    for dataset in ("source_days", "source_counts"):
        made = f"{dataset}/v1/dt=2015-05-19/source=web/rev=0/part-0.parquet"
        expected = f"{made}: it was made from, or instead of, {gone}, which"
        assert any(each.startswith(expected) for each in findings)


@pytest.mark.parametrize(
    "name", ["notes.txt", "error_rate/v1/dt=2015-05-17/rev=0/part-1.parquet", "x/v1/y\x1b[31m"]
)
def test_a_foreign_file_is_found(built, name, found):
    """Whatever it is called; its name does nothing to a terminal."""
    path = built.folder / "lake" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    (finding,) = found()
    assert finding.endswith(": foreign: the lake has no such name")
    assert finding.isprintable()
    assert found("--dataset", "error_rate") == []


def test_a_partition_that_nobody_recorded_is_found(built, found):
    """A file that follows the naming convention, put there by another tool."""
    path = partition(built, "error_rate")
    other = path.parents[2] / "dt=2015-06-01/rev=0/part-0.parquet"
    other.parent.mkdir(parents=True)
    shutil.copy(path, other)
    findings = found()
    assert any("/dt=2015-06-01/rev=0/part-0.parquet: unrecorded: nothing says" in each for each in findings)


def rewrite(path: Path, *, table=None, provenance=None) -> None:
    """Write a file anew with other rows or another provenance."""
    rows = pq.read_table(path, partitioning=None) if table is None else table
    told = provenance or pq.read_metadata(path).metadata[b"provenance"].decode()
    with pq.ParquetWriter(path, rows.schema, store_schema=False) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({"provenance": told})


def test_a_changed_footer_is_found(built, found):
    """Other inputs than there were, or counts that contradict the rows."""
    path = partition(built, "error_counts")
    metadata = pq.read_metadata(path).metadata[b"provenance"].decode()
    rewrite(path, provenance=metadata.replace('"rows_read":3', '"rows_read":4'))
    said = "\n".join(found())
    assert f"{LAW} doesn't hold: 4 and 3" in said
    assert "requests_total adds up to 3, but 4 went in" in said
    assert "its inputs have 3 rows, and 4 went in" in said
    digest = metadata.partition('"sha256":"')[2][:64]
    rewrite(path, provenance=metadata.replace(digest, "0" * 64))
    assert f"source=web/rev=0/part-0.parquet with sha256 {'0' * 64}, never published" in "\n".join(found())


def test_changed_rows_are_found(built, found):
    """Rows dropped from requests, and counts that no longer add up."""
    requests, rates = partition(built, "requests"), partition(built, "error_rate")
    rewrite(requests, table=pq.read_table(requests, partitioning=None).slice(1))
    table = pq.read_table(rates, partitioning=None).drop_columns("hours_observed")
    rewrite(rates, table=table)
    said = "\n".join(found())
    assert "it has 2 rows, and by its provenance 3" in said
    assert "its schema is not its contract's" in said


def test_a_replaced_raw_log_is_found(built, found, verify):
    """By its size, or by its bytes if they are read; one that is gone is no fault."""
    log = built.folder / "logs/2015-05-18.log"
    text = log.read_text()
    log.write_text(text.replace(" 200 ", " 404 "))
    assert found() == []
    (finding,) = found("--deep")
    assert finding.endswith("raw log logs/2015-05-18.log has other bytes")
    log.write_text(text + text)  # which begins with what was read
    assert found() == []
    log.write_text(text[:-1] + text)
    assert any("raw log logs/2015-05-18.log has " in each for each in found())
    log.unlink()
    code, out, _ = verify("--deep")
    assert code == 0
    assert "1 raw logs are no longer there to compare" in out


def test_a_partition_that_can_not_be_made_anew_says_so(built, verify):
    """With other settings it would be another; and without its raw log there is nothing to make it from."""
    built.configure(web=built.source | {"health_check_paths": "/1"})
    code, out, _ = verify("--dataset", "requests", "--rebuild-sample", "1")
    assert code == 0
    assert "not rebuilt: the settings of its source have changed" in out


def test_other_bytes_made_anew_are_found(built, found):
    """As when code has changed and its version has not."""
    log = built.folder / "logs/2015-05-18.log"
    stamp = log.stat().st_mtime_ns
    log.write_text(log.read_text().replace(" 200 ", " 503 "))
    os.utime(log, ns=(stamp, stamp))
    day = ("--start", "2015-05-18", "--stop", "2015-05-19")
    (finding,) = found("--dataset", "requests", *day, "--rebuild-sample", "1")
    assert "rebuilt, it has other bytes: " in finding


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--start", "1999-01-01", "--stop", "2000-01-01"), 3, "Nothing is published at"),
        (("--start", "2015-05-18", "--stop", "2015-05-18"), 2, "not before --stop 2015-05-18"),
        (("--start", "2015-02-30"), 2, "'2015-02-30' is not a date"),
        (("--dataset", "../x"), 2, "invalid choice"),
        (("--rebuild-sample", "-1"), 2, "'-1' is no whole number"),
    ],
)
def test_wrong_arguments_are_refused(built, verify, options, code, said):
    """Before anything is looked at."""
    found, _, err = verify(*options)
    assert found == code
    assert said in err


def test_a_lake_that_is_not_there_is_not_sound(built, verify):
    """A disk that is not mounted has nothing wrong with it, and nothing on it."""
    shutil.rmtree(built.folder / "lake")
    code, out, err = verify()
    assert (code, out) == (3, "")
    assert "Check [lake] root" in err
