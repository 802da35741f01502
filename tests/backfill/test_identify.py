"""`backfill identify` and `backfill rejects`, as an operator and a script read them."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LINE = '192.0.2.7 - alice [17/May/2015:10:05:03 +0000] "GET /a/{}?b HTTP/1.1" 200 512 "-" "curl/8"\n'
ALB = REPOSITORY / "tests/etl/golden/alb/access.log"


def test_a_log_is_identified_and_its_section_works(a_project):
    """What is printed can be pasted: the day is then built from the files of that name."""
    done = a_project.run("backfill", "identify", "logs/2015-05-18.log")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "logs/2015-05-18.log: combined reads 3 of the first 3 lines (100.0%).\n"
        "\n"
        "                                                   response duration upstream\n"
        "ts                  application method path status bytes    seconds  status   retried\n"
        "2015-05-18 00:00:00 web         GET    /0   200    10       -        -        -\n"
        "2015-05-18 01:00:00 web         GET    /1   200    10       -        -        -\n"
        "2015-05-18 02:00:00 web         GET    /2   500    10       -        -        -\n"
        "\n"
        "For luigi.cfg:\n"
        "\n"
        "[source.web]\n"
        "format = combined\n"
        "files = logs/{YYYY}-{MM}-{DD}.log\n"
        "application = web\n"
        "# a guess; one of edge, load_balancer, origin, application\n"
        "vantage = origin\n"
        "since = 2015-05-17\n"
        "# the first day without logs, if there is one\n"
        "# until = 2015-05-21\n"
    )
    section = done.stdout.partition("For luigi.cfg:\n\n")[2]
    (a_project.folder / "luigi.cfg").write_text("[lake]\nroot = lake\n" + section, encoding="utf-8")
    assert a_project.run("luigi", "RequestsDaily", "--source", "web", "--date", "2015-05-19").returncode == 0


@pytest.mark.slow
def test_files_are_named_as_luigi_cfg_names_them(a_project):
    """Relative to its folder if there is one, else to the current one; an absolute path stays."""
    path = a_project.folder / "logs/2015-05-18.log"
    away = {"LUIGI_CONFIG_PATH": str(a_project.folder / "logs/none.cfg")}
    for given, environment, shown in (
        ("logs/../logs/2015-05-18.log", {}, "logs/{YYYY}-{MM}-{DD}.log"),
        (str(path), {}, str(path.parent / "{YYYY}-{MM}-{DD}.log")),
        ("logs/2015-05-18.log", away, "logs/{YYYY}-{MM}-{DD}.log"),
    ):
        assert f"\nfiles = {shown}\n" in a_project.run("backfill", "identify", given, **environment).stdout
    (a_project.folder / "logs/luigi.cfg").write_text("")
    there = {"LUIGI_CONFIG_PATH": str(a_project.folder / "logs/luigi.cfg")}
    done = a_project.run("backfill", "identify", "logs/2015-05-18.log", **there)
    assert "\nfiles = {YYYY}-{MM}-{DD}.log\n" in done.stdout


def test_rejects_are_counted_and_shown_masked(a_project):
    """By reason, the first of each; more than 1 % of them and the exit code is 1. No raw line is printed."""
    log = a_project.folder / "access.log"
    bad = LINE.replace("200", "99").format("\x1b[31m") + LINE.replace("10:05", "25:05") + "alice secret\n" * 5
    log.write_text(LINE.format("x" * 90) * 20 + bad, encoding="utf-8")
    done = a_project.run("backfill", "identify", "access.log", "--lines", "2")
    assert (done.returncode, done.stderr) == (1, "")
    assert "combined reads 20 of the first 27 lines (74.1%)." in done.stdout
    table, _, rest = done.stdout.partition("Rejects, masked as in the lake: letters are x, digits 9:\n")
    assert table.count("2015-05-17") == 2
    assert max(map(len, table.splitlines())) <= 100
    assert rest.startswith(
        "  shape: 5\n    line 23 xxxxx xxxxxx\n    line 24 xxxxx xxxxxx\n    line 25 xxxxx xxxxxx\n"
    )
    assert "  time: 1\n    line 22 999.9.9.9 - xxxxx [99/xxx/9999:99:99:99 +9999]" in rest
    assert (
        '  status: 1\n    line 21 999.9.9.9 - xxxxx [17/May/2015:10:05:03 +0000] "xxx /x/?[99x?x xxxx/9.9"' in rest
    )
    assert "alice" not in done.stdout
    assert "\x1b" not in done.stdout


def test_a_wide_table_fits_a_terminal(a_project):
    """All columns are shown within 100 characters, the path cut."""
    lines = ALB.read_bytes().replace(b"/item/7", b"/item" + b"/x" * 90)
    (a_project.folder / "alb.log").write_bytes(lines)
    done = a_project.run("backfill", "identify", "alb.log")
    table = done.stdout.partition("\n\n")[2].partition("\n\n")[0].splitlines()
    assert len(table) == 12
    assert max(map(len, table)) <= 100
    assert re.search(r"shop\.example\.com GET +/item/[x/]+… +200 +57 +0\.171 +200 +false", table[3])
    assert "vantage = load_balancer" in done.stdout


def test_guesses_say_so(a_project):
    """The twins w3c and iis, and times without an offset."""
    log = a_project.folder / "proxy.log"
    log.write_text("#Fields: date time sc-status\n2026-09-17 10:05:03 200\n", encoding="utf-8")
    done = a_project.run("backfill", "identify", "proxy.log")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nNext best: iis reads 1 of the first 1 lines (100.0%).\n" in done.stdout
    log.write_text('{"ts": "2026-09-17T10:05:03", "code": 200}\n', encoding="utf-8")
    done = a_project.run("backfill", "identify", "proxy.log")
    assert (done.returncode, done.stderr) == (0, "")
    assert "json with fields reads 1 of the first 1 lines" in done.stdout
    assert "Times of this log name no time zone. UTC is an assumption: " in done.stdout
    assert "\ntimezone = UTC\n" in done.stdout
    assert "# a guess by the names of the keys" in done.stdout


def test_an_unknown_log_says_how_to_declare_it(a_project):
    """Its lines are shown masked, and what is said of log_format can be used."""
    log = a_project.folder / "odd.log"
    log.write_text("\x1b[31malice | 10:05\n\n\u00e9 bob", encoding="utf-8")
    done = a_project.run("backfill", "identify", "odd.log")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(
        "odd.log: no format that is known here fits (3 lines looked at).\n\n"
        "Its first lines, masked as in the lake: letters are x, digits 9:\n"
        "  1 ?[99xxxxxx | 99:99\n  2\n  3 ?? xxx\n\n"
    )
    assert "as format = log_format and log_format = …" in done.stdout
    raw = a_project.run("backfill", "identify", "odd.log", "--raw").stdout
    assert "Its first lines, as they are:\n  1 \\x1b[31malice | 10:05\n  2\n  3 é bob\n" in raw
    log.write_text(LINE + "x\n" * 2, encoding="utf-8")
    done = a_project.run("backfill", "identify", "odd.log")
    assert "The closest: combined reads 1 of the first 3 lines (33.3%).\n" in done.stdout


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('INFO:     192.0.2.1:4000 - "GET / HTTP/1.1" 200 OK\n', "a request and a status, but no time"),
        (
            'Started GET "/" for 192.0.2.1 at 2026-09-16 20:00:05 +0000\nCompleted 200 OK in 3ms\n\n',
            "Rails' default",
        ),
        ('{"when": "2026-09-17", "who": {"name": "alice7"}}\n', "\n  when = 9999-99-99\n  who.name = xxxxx9\n"),
    ],
)
def test_what_cannot_be_read_is_said_with_what_to_do(a_project, lines, said):
    """Of servers whose logs lack what is needed, and of JSON by its keys, which are no personal data."""
    (a_project.folder / "odd.log").write_text(lines * 9, encoding="utf-8")
    done = a_project.run("backfill", "identify", "odd.log")
    assert (done.returncode, done.stderr) == (1, "")
    assert said in done.stdout
    assert "log_format" not in done.stdout
    assert "alice" not in done.stdout


@pytest.mark.slow
def test_several_files_are_one_log(a_project):
    """Folders, globs and the standard input, too; the section is for all of them."""
    whole = None
    for given in (["logs"], ["logs/*.log"], ["logs/2015-05-17.log", "logs/2015-05-18.log"]):
        done = a_project.run("backfill", "identify", *given)
        assert (done.returncode, done.stderr) == (0, "")
        assert "more: combined reads" in done.stdout
        section = done.stdout.partition("For luigi.cfg:")[2]
        assert "\nfiles = logs/{YYYY}-{MM}-{DD}.log\n" in section
        whole = whole or section
        assert section == whole
    done = a_project.run("sh", "-c", "backfill identify - < logs/2015-05-18.log")
    assert done.stdout.startswith("standard input: combined reads 3 of the first 3 lines")
    assert "\nfiles = access.log\n" in done.stdout


def test_a_section_that_leaves_out_given_files_is_not_called_good(a_project):
    """They are named, and the exit code is 1; so are folders in which only folders lie."""
    (a_project.folder / "tree/a").mkdir(parents=True)
    for name in ("access.log-20150517", "other-20150517.log"):
        (a_project.folder / "tree/a" / name).write_text(LINE, encoding="utf-8")
    done = a_project.run("backfill", "identify", "tree/a/other-20150517.log", "tree/a/access.log-20150517")
    assert done.returncode == 1
    assert "or declare them as another log. 1 file:\n  tree/a/other-20150517.log\n" in done.stdout
    done = a_project.run("backfill", "identify", "tree")
    assert (done.returncode, done.stdout) == (2, "")
    assert "tree: files lie only in the folders below it. Name one, or all by 'tree/**/*'." in done.stderr


def test_a_section_that_loses_server_errors_is_not_called_good(a_project):
    """However few they are: the exit code is 1, and it is said."""
    (a_project.folder / "access.log").write_text(
        LINE * 2000 + 'x [now] "GET / HTTP/1.1" 502 0\n', encoding="utf-8"
    )
    done = a_project.run("backfill", "identify", "access.log")
    assert done.returncode == 1
    assert "Of 2,001 lines the section below reads 2,000.\n1 of the 1 rejects show a 5xx status" in done.stdout


def test_a_format_or_a_source_is_taken_as_told(a_project):
    """Nothing is guessed; a source's max_reject_rate counts."""
    path = "logs/2015-05-18.log"
    done = a_project.run("backfill", "identify", path, "--format", "common")
    assert done.returncode == 1
    assert f"{path}: common reads 0 of the first 3 lines (0.0%).\n" in done.stdout
    assert "For luigi.cfg" not in done.stdout
    done = a_project.run("backfill", "identify", path, "--source", "web", "--lines", "0")
    assert (done.returncode, done.stdout) == (0, f"{path}: combined reads 3 of the first 3 lines (100.0%).\n")
    with (a_project.folder / path).open("a", encoding="utf-8") as file:
        file.write("x\n")
    assert a_project.run("backfill", "identify", path, "--source", "web").returncode == 1
    a_project.configure(web=a_project.source | {"max_reject_rate": "0.25"})
    done = a_project.run("backfill", "identify", path, "--source", "web")
    assert done.returncode == 0
    assert " shop " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.log"], "none.log: can't be read"),
        (["empty"], "empty: there is no file. Name a log, or a folder or a pattern of logs."),
        (["no*.log"], "no*.log: there is no file."),
        (["/dev/null"], "/dev/null is empty"),
        (["\x1b[31m.log"], r"\x1b[31m.log: there is no file"),
        (["logs/2015-05-18.log", "--source", "none"], "luigi.cfg has no [source.none]. It has: web"),
        (["logs/2015-05-18.log", "--format", "none"], "invalid choice: 'none'"),
        (["logs/2015-05-18.log", "--format", "json", "--source", "web"], "not allowed with"),
        (["logs/2015-05-18.log", "--lines", "-1"], "'-1' is not a number, expected 0 or more"),
        ([], "required: FILE"),
    ],
)
def test_bad_arguments_of_identify(a_project, arguments, said):
    """Each is named, and the exit code is 2."""
    (a_project.folder / "empty").mkdir()
    done = a_project.run("backfill", "identify", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def with_rejects(a_project):
    """Return the project with a day published of which two lines are rejects, one for lack of a time zone."""
    lines = (
        '{"time_iso8601": "2015-05-18T10:00:00Z", "status": 200}',
        '{"time_iso8601": "2015-05-18T00:00:00", "status": 200, "request": "GET /a HTTP/1.1", "user": "alice"}',
        '{"time_iso8601": "2015-05-18T10:00:00Z", "status": "\x1b[31m", "user": "alice"}',
    )
    (a_project.folder / "logs/2015-05-18.log").write_text("\n".join(lines), encoding="utf-8")
    source = a_project.source | {"format": "json", "max_reject_rate": "1", "neighbour_days": "1"}
    a_project.configure(web=source)
    done = a_project.run("luigi", "RequestsDaily", "--source", "web", "--date", "2015-05-18")
    assert done.returncode == 0, done.stderr
    return a_project, source


REJECTS = ("backfill", "rejects", "--source", "web", "--date", "2015-05-18")


def test_rejects_of_the_same_settings_are_still_rejects(with_rejects):
    """The exit code is 0; lines are masked, unless raw ones are asked for; even those do nothing to a terminal."""
    project, _ = with_rejects
    done = project.run(*REJECTS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:3] == [
        "logs/2015-05-18.log:2 was a reject: time",
        '  {"xxxx_xxx9999": "2015-05-18T00:00:00", "xxxxxx": 999, "xxxxxxx": "xxx /x xxxx/9.9", "xxxx": "xxxxx"}',
        "  now still a reject: time",
    ]
    assert done.stdout.splitlines()[-1] == "2 rejects: all are still rejects."
    done = project.run(*REJECTS, "--raw", "--limit", "1")
    assert '"user": "alice"}\n' in done.stdout
    assert done.stdout.endswith("\n2 rejects: all are still rejects, 1 are shown.\n")
    done = project.run(*REJECTS, "--raw")
    assert r'"status": "\x1b[31m"' in done.stdout


@pytest.mark.slow
def test_rejects_that_are_requests_now_ask_for_a_restatement(with_rejects):
    """With a time zone set one is a row, of the day before; the commands work, and nothing is left to restate."""
    project, source = with_rejects
    project.configure(web=source | {"timezone": "Europe/Berlin"})
    done = project.run(*REJECTS)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[2] == (
        "  now a request: ts=2015-05-17 22:00:00 application=shop method=GET path=/a status=200 retried=false"
    )
    assert lines[5:7] == [
        "  now still a reject: shape",
        "2 rejects: 1 are requests to today's code, 1 are still rejects.",
    ]
    assert lines[7:] == [
        "To restate these days, and everything that is made from them:",
        "  luigi RequestsDaily --source web --date 2015-05-17",
        '  backfill restate --of RequestsDaily --source web --date 2015-05-18 --reason "…"',
    ]
    (project.folder / "logs/2015-05-16.log").write_text("", encoding="utf-8")
    for line in lines[8:]:
        done = project.run("sh", "-ec", line + (" --yes" if " restate " in line else ""))
        assert done.returncode == 0, done.stderr
    assert project.run(*REJECTS).returncode == 0


def test_rejects_without_their_raw_file(with_rejects):
    """That they are still rejects can't be told, so it isn't."""
    project, _ = with_rejects
    (project.folder / "logs/2015-05-18.log").unlink()
    done = project.run(*REJECTS, "--limit", "1")
    assert (done.returncode, done.stderr) == (1, "")
    assert "now the raw file is not there, or files no longer matches it\n" in done.stdout
    assert done.stdout.endswith("\n2 rejects: 2 are neither or undetermined, 1 are shown.\n")


def test_a_day_without_rejects(a_project):
    """There is nothing to say of it, and all is well."""
    assert a_project.run("luigi", "RequestsDaily", "--source", "web", "--date", "2015-05-18").returncode == 0
    done = a_project.run(*REJECTS)
    assert (done.returncode, done.stdout) == (0, "0 rejects.\n")


def test_rejects_that_cannot_be_read(a_project):
    """A day that is not there is exit code 3, a wrong argument 2."""
    done = a_project.run(*REJECTS)
    assert (done.returncode, done.stdout) == (3, "")
    assert "has no rejects of source web on 2015-05-18. Build the day first: luigi RequestsDaily" in done.stderr
    for arguments, said in (
        (("--source", "none", "--date", "2015-05-18"), "luigi.cfg has no [source.none]"),
        (("--source", "web", "--date", "2015-02-30"), "'2015-02-30' is not a date"),
        (("--source", "web"), "required: --date"),
    ):
        done = a_project.run("backfill", "rejects", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr


def test_help_warns_of_raw_lines_and_has_examples(a_project):
    """`--help` shows commands that can be copied, what the exit codes mean, and what raw lines may hold."""
    for command in ("identify", "rejects"):
        done = a_project.run("backfill", command, "--help")
        assert done.returncode == 0
        assert f"examples:\n  backfill {command} " in done.stdout
        assert "exit codes:" in done.stdout
    assert "personal data" in " ".join(done.stdout.split())
