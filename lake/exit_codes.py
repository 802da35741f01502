"""What the commands' exit codes mean: their help and the documentation say it from here."""

from collections.abc import Iterator, Mapping

WRONG = "luigi.cfg or an argument is wrong"
UNREADABLE = "the lake can't be read"
COMMON = {2: WRONG, 3: f"{UNREADABLE} or written"}
ALL_THERE = {0: "every day on which a source is active is there", 1: "some day is not there"}
WRONG_THERE = (
    "or one that is there is not as it should be: a restatement was cut off, a source or lines are not in it"
)
STOPPED = {130: "stopped by Ctrl-C before all was there", 143: "stopped by SIGTERM before all was there"}
LUIGI = {
    0: "done; of a range, every day on which a source is active is there",
    1: "no task is named",
    2: "no such flag, or luigi.cfg is not an INI file",
    10: "another worker of a central scheduler ran a task, and it failed",
    20: "raw logs are not there, or the day is not settled; all else was built",
    25: "a task was not run",
    30: "a day failed, or a range has days that are not settled; all else was built",
    35: "could not look: a range without a day to build, a store that doesn't answer",
    40: "could not start: luigi.cfg or an argument is wrong, or the central scheduler doesn't answer",
    130: "interrupted; what was published stays",
}
# beside those that are common to all, which some say more exactly
OWN: Mapping[str, Mapping[int, str]] = {
    "backfill": {
        0: "all is well: the days are there, the log is read, the rejects are still rejects",
        1: "it is not",
    },
    "backfill plan": {0: "planned, whatever there is to do"},
    "backfill run": ALL_THERE | STOPPED,
    "backfill status": ALL_THERE | {1: f"{ALL_THERE[1]}, {WRONG_THERE}"},
    "backfill check": {
        0: "OK: fewer late days than --warning",
        1: "WARNING: late or incomplete days, a restatement that was cut off, a source or lines that days lack; "
        "with --unusual, an unusual day",
        2: "CRITICAL: as many late days as --critical, or more",
        3: f"UNKNOWN: {WRONG}, or {UNREADABLE}",
    },
    "backfill nightly": ALL_THERE
    | STOPPED
    | {0: "every settled day is there, of the last two weeks and before", 1: f"{ALL_THERE[1]}, {WRONG_THERE}"},
    "backfill restate": {
        0: "published, or nothing differs",
        1: "not published: nobody agreed, or it can't be built",
        2: f"{WRONG}; the day is not published yet, or there is nobody to ask",
    },
    "backfill explain": {0: "explained"},
    "backfill identify": {
        0: "a format reads all lines but 1 % at most; with --source, but max_reject_rate",
        1: "none does, a line that is not read looks like a server error, or a file of the log is left out",
        2: f"{WRONG}, or the file can't be read",
    },
    "backfill rejects": {
        0: "all are still rejects",
        1: "some are not, or that can't be determined: the raw file is gone, changed or broken",
        3: f"{UNREADABLE}, or the day is not there",
    },
    "backfill fetch": {
        0: "fetched, be the content another one or not",
        1: "a day isn't there yet, or the other system refuses what is asked; all else was fetched",
        3: "the other system or the snapshots can't be reached, read or written",
    },
    "lake": {
        0: "answered; all is well; deleted, or shown what would be",
        1: "the SQL is wrong, or the answer can't be printed; something in the lake is wrong; what goes is needed",
    },
    "lake sql": {
        0: "answered",
        1: "the SQL is wrong, a file is broken, or the answer can't be printed",
        130: "interrupted",
    },
    "lake shell": {0: "left, or all statements of a pipe answered", 1: "a statement of a pipe is wrong"},
    "lake ls": {0: "shown"},
    "lake describe": {0: "shown"},
    "lake questions": {0: "listed", 1: "none has the word"},
    "lake backtest": {0: "shown", 2: f"{WRONG}, or no day can be judged"},
    "lake catalog": {
        0: "written",
        1: "it can't be printed that it is",
        2: "luigi.cfg is wrong, or another file has that name",
        3: "it can't be written",
    },
    "lake pull": {0: "the copies are up to date", 3: f"{UNREADABLE}, or a copy can't be written"},
    "lake ddl": {0: "printed", 2: f"{WRONG}, or that engine can't read this lake"},
    "lake new": {
        0: "written",
        2: "the name is wrong, a file is there already, or this is no clone; nothing was written",
    },
    "lake report": {
        0: "written",
        1: "a file of the lake is broken, or the report can't be written",
        2: f"{WRONG}, or what draws charts is not installed",
        3: f"{UNREADABLE}, or nothing is in it",
    },
    "lake verify": {0: "all is well", 1: "something is wrong, and is named; nothing is repaired"},
    "lake deliver": {
        0: "all is delivered; or it is shown what would be",
        1: "a target holds what isn't the delivery's, or is ahead of the lake",
        2: f"{WRONG}, or what delivers there is not installed",
        3: f"{UNREADABLE}, or a target can't be reached or written",
    },
    "lake event": {0: "recorded, listed or withdrawn"},
    "lake event add": {0: "recorded, now or before", 2: f"{WRONG}, or it was withdrawn before"},
    "lake event import": {
        0: "all are recorded, now or before",
        2: f"{WRONG}, or the file is; nothing was recorded",
    },
    "lake event list": {0: "listed"},
    "lake event withdraw": {0: "withdrawn", 2: f"{WRONG}, or there is no such event"},
    "lake retention": {
        0: "nothing is that old; or it is shown, or deleted",
        1: "something that stays was made from what would go",
        2: f"{WRONG}, the code too",
        3: f"{UNREADABLE}, or something in it can't be deleted",
    },
    "lake purge": {
        0: "there is nothing to mask; or it is masked, and the old bytes are deleted",
        1: "something would be masked; nothing was changed",
        3: f"{UNREADABLE} or written, or something in it can't be deleted",
    },
}


def epilog(command: str, examples: str, note: str = "") -> str:
    """Return the end of a command's help: a note, examples, a line each, and its exit codes."""
    shown = [f"  {line}" for line in examples.strip().splitlines()]
    codes = [f"  {code}  {meaning}" for code, meaning in sorted((COMMON | dict(OWN[command])).items())]
    parts = [note.strip(), "\n".join(["examples:", *shown]), "\n".join(["exit codes:", *codes])]
    return "\n\n".join(filter(None, parts)) + "\n"


def markdown() -> Iterator[str]:
    """Yield the lines of the documentation's table: commands with the same codes share one."""
    yield from ("| command | exit codes |", "|---|---|")
    commands: dict[str, list[str]] = {}
    for command, codes in {"luigi": LUIGI, **OWN}.items():
        if command not in {"backfill", "lake"}:
            text = "<br>".join(f"**{code}** {meaning}" for code, meaning in sorted(codes.items()))
            commands.setdefault(text, []).append(f"`{command}`")
    for text, names in commands.items():
        yield f"| {', '.join(names)} | {text} |"
    common = "<br>".join(f"**{code}** {meaning}" for code, meaning in COMMON.items())
    yield f"| `backfill`, `lake`, where nothing else is said | {common} |"


if __name__ == "__main__":
    print("\n".join(markdown()))  # noqa: T201 - what this is run for
