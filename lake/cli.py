"""What asks the lake from the command line, and how commands end; what they do is imported once one is chosen."""

import argparse
import gc
import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

from lake.datasets import DATASETS
from lake.errors import LakeError
from lake.exit_codes import epilog
from lake.warned import tell_once

SQL = """
lake sql "select dt, application, valid_requests, error_rate from error_rate order by all"
lake sql "from error_rate_weekly where application = 'shop' order by week"
lake sql "from error_rate_as_of('2026-09-18 06:00:00Z') where dt = '2026-09-17'"
lake sql --csv "select path, count(*) from requests where dt = '2015-05-18' group by path" > paths.csv
lake sql "describe error_rate"
"""
SHELL = """
lake shell
lake shell < questions.sql
"""
BACKTEST = """
lake backtest unusual
lake backtest unusual --start 2026-01-01 --stop 2026-07-01
"""
LS = """
lake ls
lake describe error_rate
"""
DESCRIBE = """
lake describe error_rate
lake describe incidents
lake describe events
"""
QUESTIONS = """
lake questions
lake questions incident
"""
CATALOG = """
lake catalog lake.duckdb
duckdb -readonly lake.duckdb "from error_rate_weekly"
"""
PULL = """
lake pull error_rate error_counts
"""
DDL = """
lake ddl spark > lake.sql
lake ddl trino --schema glue.web_logs
lake ddl athena --schema web_logs
"""
NEW = """
lake new metric busiest_minutes
lake new source page_scores
lake new pipeline page_scores
"""
KINDS = ("metric", "source", "pipeline")
ENGINES = ("athena", "trino", "spark")
INTERRUPTED = 130


def chosen(name: str, register: Callable[[], None] = lambda: None) -> Callable[..., Any]:
    """Return what a command does, by its name as in `package.module:function`, once what it works on is known.

    What is imported stays for good: Python doesn't look through it for garbage, neither meanwhile nor later.
    """
    from pkgutil import resolve_name  # noqa: PLC0415 - help doesn't wait for it

    tell_once()
    gc.disable()
    try:
        register()
        command: Callable[..., Any] = resolve_name(name)
    finally:
        gc.freeze()
        gc.enable()
    return command


def run(name: str, command: Callable[[], int]) -> NoReturn:
    """Run a command and exit with what it returns, or with an error's message and code."""
    try:
        code = command()
        sys.stdout.flush()
    except LakeError as error:
        print(printable(f"{name}: {error}"), file=sys.stderr)
        code = error.exit_code
    except (KeyboardInterrupt, RuntimeError) as error:
        if not is_interrupt(error):
            raise
        print(f"{name}: interrupted", file=sys.stderr)
        code = INTERRUPTED
    except OSError as error:  # a pipe that was closed, as by `head`, or a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at exit
        print(f"{name}: can't print the answer: {error.strerror or error}", file=sys.stderr)
        code = 1
    except _of_duckdb() as error:
        from lake.store.outage import behind  # noqa: PLC0415

        of_store = behind(error)
        print(printable(f"{name}: {of_store or error}"), file=sys.stderr)
        code = of_store.exit_code if of_store else 1
    sys.exit(code)


def is_interrupt(error: BaseException) -> bool:
    """Tell whether an error is Ctrl-C, of which DuckDB makes a RuntimeError."""
    return isinstance(error, KeyboardInterrupt) or str(error) == "Query interrupted"


def _of_duckdb() -> type[Exception]:
    """Return the base of DuckDB's errors; it is asked for once there is an error, so as not to import DuckDB."""
    from duckdb import Error  # noqa: PLC0415

    return Error


def printable(text: str) -> str:
    """Return a text that does nothing to a terminal: its line ends stay, other control characters are escaped."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def day(text: str) -> date:
    """Return the day that an argument is; argparse's error, which names it, if it is none."""
    from lake.partition import parse_day  # noqa: PLC0415 - a command's help doesn't wait for it

    try:
        return parse_day(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, expected YYYY-MM-DD, 1970 to 2999") from None


def add_version(parser: argparse.ArgumentParser) -> None:
    """Let a program say its version, which is looked up when it is asked for."""
    parser.add_argument(
        "--version", action=_Version, nargs=0, dest=argparse.SUPPRESS, help="say the version, and no more"
    )


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - takes as long as all else of this

        print(f"error-rate-lake {version('error-rate-lake')}")
        parser.exit()


def add_command(  # noqa: PLR0913, PLR0917 - each says another thing of it
    commands: "argparse._SubParsersAction[Any]",
    program: str,
    name: str,
    short: str,
    description: str,
    examples: str,
    note: str = "",
) -> argparse.ArgumentParser:
    """Add a command, with its help.

    Args:
        commands: Those of its program.
        program: That program.
        name: The command.
        short: What it is for, in the list of commands.
        description: The same in its own help.
        examples: A line each.
        note: What else its help says.
    """
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=short,
        description=description,
        epilog=epilog(f"{program} {name}", examples, note),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return command


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands that ask the lake."""

    def add(name: str, summary: str, examples: str, what: str) -> argparse.ArgumentParser:
        command = add_command(commands, "lake", name, summary, f"{summary[0].upper()}{summary[1:]}.", examples)
        command.set_defaults(run=f"lake.commands.ask:{what}")
        return command

    each_is = "every dataset is a view of its latest revisions"
    command = add("sql", f"run one DuckDB query; {each_is}", SQL, "ask")
    command.set_defaults(run="lake.commands.sql:ask")  # which imports less
    command.add_argument("query", help="the query")
    command.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    add("shell", f"run one statement after another; {each_is}", SHELL, "ask_on")
    add("ls", "list the datasets: partitions, days, size", LS, "list_datasets")
    command = add("questions", "list the views and macros that answer questions", QUESTIONS, "list_questions")
    command.add_argument("word", nargs="?", metavar="WORD", help="only those with it in their name or answer")
    command = add("backtest", "say how often a question would have warned on the lake's days", BACKTEST, "ask_on")
    command.set_defaults(run="lake.commands.backtest:of_unusual")
    command.add_argument("question", choices=("unusual",), metavar="QUESTION", help="unusual")
    command.add_argument("--start", type=day, metavar="DAY", help="first day; default: the first there is")
    command.add_argument("--stop", type=day, metavar="DAY", help="day after the last; default: after the last")
    about = "say what a dataset, a view, a macro or the table of events is, and what its columns are"
    command = add("describe", about, DESCRIBE, "describe")
    command.add_argument(
        "name", metavar="NAME", help="such as error_rate; `lake ls` and `lake questions` show all"
    )
    command = add(
        "catalog",
        "write the views and macros to a DuckDB file, for tools that know nothing of ours",
        CATALOG,
        "write_catalog",
    )
    command.add_argument("file", type=Path, metavar="FILE", help="such as lake.duckdb")
    command = add(
        "pull",
        "keep local copies of datasets, from which questions are answered; fetch what is new",
        PULL,
        "pull_datasets",
    )
    command.add_argument(
        "dataset", nargs="+", choices=DATASETS, metavar="DATASET", help="such as error_rate; `lake ls` shows all"
    )
    command = add(
        "new", "write the files of a metric, of a source of records or of both, with golden cases", NEW, "new"
    )
    command.set_defaults(run="lake.commands.new:new")
    command.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    command.add_argument("name", metavar="NAME", help="of the dataset, such as page_scores")
    command = add("ddl", "print the statements that show the lake to another engine", DDL, "show_ddl")
    command.add_argument("engine", choices=ENGINES, metavar="ENGINE", help=", ".join(ENGINES))
    command.add_argument(
        "--schema", metavar="NAME", help="where tables and views go; default: lake, for trino hive.lake"
    )
