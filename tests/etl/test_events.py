"""Events in files and on the command line: what is read, what is refused with its place, what is never kept."""

import json
from pathlib import Path

import pytest

from etl.events import read_file
from lake.errors import ConfigError

DEPLOY = 'started,kind,name,applications,ended\n2026-09-17T14:00:00+02:00,deploy,release 512,"shop, web-*",\n'
GRAFANA = [
    {
        "id": 7,
        "login": "joe",
        "email": "joe@example.com",
        "time": 1_789_646_400_123,
        "timeEnd": 1_789_646_700_000,
        "text": "<b>release</b> 512 by @joe (joe@example.com)\nsee the wiki",
        "tags": ["deploy", "application:Shop", "team-a"],
    },
    {"id": 8, "time": 1_789_646_400_000, "timeEnd": 1_789_646_400_000, "text": "", "tags": []},
]


def _read(text, name="events.csv", kind=None):
    return [str(each)[14:] for each in read_file(Path(name), text, kind)]


def test_a_csv_is_read():
    """Times in UTC; patterns of applications; without any, it is of all."""
    more = "2026-12-25,holiday,Christmas Day,,2026-12-26\r\n"
    assert _read(DEPLOY + more) == [
        "2026-09-17 12:00:00  deploy  release 512 (shop, web-*)",
        "2026-12-25 00:00:00 to 2026-12-26 00:00:00  holiday  Christmas Day",
    ]


def test_ndjson_is_read():
    """Likewise; applications may be a list."""
    lines = [
        {"started": "2026-09-17T14:00Z", "kind": "deploy", "name": "release 512", "applications": ["shop", "api"]},
        {"started": "2026-09-17T14:00Z", "kind": "other", "name": "x", "ended": None, "applications": "web"},
    ]
    assert _read("\n".join(map(json.dumps, lines)) + "\n\n", "events.jsonl") == [
        "2026-09-17 14:00:00  deploy  release 512 (shop, api)",
        "2026-09-17 14:00:00  other  x (web)",
    ]


def test_annotations_of_grafana_are_read():
    """Tags tell kind and application; who wrote one is never kept."""
    assert _read(json.dumps(GRAFANA), "annotations.json") == [
        "2026-09-17 12:00:00 to 2026-09-17 12:05:00  deploy  release 512 by {email} {email} (shop)",
        "2026-09-17 12:00:00  other  annotation",
    ]


@pytest.mark.parametrize("words", [1, 5, 6, 40])
def test_a_long_text_of_grafana_is_cut(words):
    """To what an event's name may have."""
    (found,) = read_file(Path("a.json"), json.dumps([{"time": 0, "text": "é" * 10 + " release" * words}]), None)
    assert found.name == "é" * 10 + (" release" * words)[:30].rstrip()


def test_what_may_be_personal_is_masked():
    """Network addresses and tokens, as in paths."""
    text = f"started,kind,name\n2026-09-17,other,moved from 198.51.100.7 with {'aB3' * 10}\n"
    (found,) = read_file(Path("a.csv"), text, None)
    assert found.name == "moved from {address} with {token}"


@pytest.mark.parametrize(
    ("kind", "text", "error"),
    [
        ("csv", "", "events: expected a header with started, kind, name"),
        ("csv", "time,name\n", "events: expected a header with started, kind, name"),
        ("csv", DEPLOY + "2026-09-17,deploy\n", "events: line 3: name is missing"),
        ("csv", DEPLOY + "2026-09-17,deploy,x,shop,,y\n", "events: line 3: more fields than the header has"),
        (
            "csv",
            DEPLOY + "yesterday,deploy,x,shop,\n",
            "events: line 3: started = yesterday: expected a time like",
        ),
        (
            "csv",
            DEPLOY + "1969-12-31,deploy,x,shop,\n",
            "events: line 3: started = 1969-12-31: expected a time like",
        ),
        ("csv", DEPLOY + "2026-09-17,deploy,x,Shop!,\n", "events: line 3: applications: Shop!: expected names"),
        ("csv", DEPLOY + "2026-09-17,release,x,shop,\n", "events: line 3: kind = release: expected one of deploy"),
        ("csv", DEPLOY + '2026-09-17,deploy,"x', "events: line 3: unexpected end of data"),
        ("csv", DEPLOY.replace("ended", "author"), "events: line 2: author: unknown field. An event has started"),
        ("ndjson", "\n[]", "events: line 2: expected an object of JSON"),
        ("ndjson", '{"started', "events: line 1: no JSON: "),
        ("ndjson", '{"started": 5}', "events: line 1: started = 5: expected a text"),
        ("ndjson", '{"applications": [5]}', r"events: line 1: applications = \[5\]: expected a list of texts"),
        ("ndjson", '{"user": "joe"}', "events: line 1: user: unknown field"),
        ("grafana", "{}", "events: expected a list of annotations"),
        ("grafana", "[", "events: no JSON: "),
        ("grafana", "[5]", "events: annotation 1: expected an object of JSON"),
        ("grafana", '[{"time": "5"}]', "events: annotation 1: time = 5: expected milliseconds since 1970"),
        ("grafana", '[{"time": 99999999999999999999}]', "events: annotation 1: time = 9+: expected milliseconds"),
        (None, DEPLOY, "events: its name doesn't tell what it is. Say --format csv, ndjson, grafana"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(kind, text, error):
    """And nothing of the file is taken."""
    with pytest.raises(ConfigError, match=error):
        read_file(Path("events"), text, kind)


def test_events_are_recorded_listed_and_withdrawn(a_project):
    """From the command line, as its help says."""
    (a_project.folder / "deploys.csv").write_text(DEPLOY)
    done = a_project.run("lake", "event", "import", "deploys.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 events, 1 of them new\n", "")
    add = ("lake", "event", "add", "fair", "--kind", "holiday", "--at", "2026-09-18", "--until", "2026-09-19")
    first, again = a_project.run(*add), a_project.run(*add)
    assert (first.returncode, again.returncode) == (0, 0)
    assert again.stdout == first.stdout.removesuffix("\n") + "  (was recorded before)\n"
    listed = a_project.run("lake", "event", "list").stdout.splitlines()
    assert [line[14:] for line in listed] == [
        "2026-09-17 12:00:00  deploy  release 512 (shop, web-*)",
        "2026-09-18 00:00:00 to 2026-09-19 00:00:00  holiday  fair",
    ]
    assert a_project.run("lake", "event", "list", "--stop", "2026-09-18").stdout.splitlines() == listed[:1]
    assert a_project.run("lake", "event", "list", "--start", "2026-09-18").stdout.splitlines() == listed[1:]
    assert a_project.run("lake", "event", "list", "--start", "2026-09-19").stdout == ""
    done = a_project.run("lake", "event", "withdraw", listed[1][:12], "--reason", "rain")
    assert (done.returncode, done.stdout) == (0, f"withdrawn: {listed[1]}\n")
    assert a_project.run("lake", "event", "list").stdout.splitlines() == listed[:1]
    assert a_project.run(*add).returncode == 2


def test_an_event_without_a_time_is_of_now(a_project):
    """For who calls it at the end of a deploy; several applications may be named."""
    command = ("lake", "event", "add", "release 513", "--kind", "deploy", "--application", "shop", "api")
    done = a_project.run(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("  deploy  release 513 (shop, api)\n")


def test_a_file_that_can_not_be_read_is_named(a_project):
    """With exit code 2, and nothing recorded."""
    (a_project.folder / "deploys.csv").write_bytes(DEPLOY.encode() + b"\xff")
    for name, reason in (("deploys.csv", "it is not UTF-8"), ("gone.csv", "No such file or directory")):
        done = a_project.run("lake", "event", "import", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"lake: {name} can't be read: {reason}. Nothing was recorded.\n"
