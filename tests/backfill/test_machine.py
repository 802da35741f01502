"""Many short lives of a project, chosen at random: whatever becomes of its raw files, no figure is silently wrong.

    MACHINE_LIVES=5000 python -m pytest tests/backfill/test_machine.py -m slow -o faulthandler_timeout=0

lives more of them. The model keeps every raw line, so it knows the true requests and server errors of each day and
application: those of the lines that lie there now, and those that were published from files that are gone since.
"""

import contextlib
import gzip
import io
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, count
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from lives import live
from s3_servers import KEYS, make_bucket

from backfill import late, options, range_commands
from backfill.attempts import LONGEST_ERROR, Attempts, Outcome
from backfill.concerns import concerns
from backfill.days import DayRange
from backfill.engines.ends import End, attempts
from backfill.engines.engine import Result
from backfill.outdated import Look
from backfill.plan import Plan
from etl import clock
from etl.looks.verify import RawLogs
from etl.project import project
from etl.sources.source import name_of
from etl.units import Unit
from lake import restatements
from lake.contracts import contract
from lake.errors import LakeError, NoLines
from lake.provenance import FIRST
from lake.verify import Scope, Verification

FIRST_DAY = date(2015, 5, 17)
STEPS = 7
"""Of a life."""
LAST = 2
"""The number of the last day that settles in a life."""
BULK = 240
"""Lines of which a part can be told to be repeated; few can't, since equal lines may be real."""
MANY = 100
"""From so many lines in a row on, that they are repeated is no chance."""
DATES = re.compile(r"(\d{4}-\d\d-\d\d)(?: … (\d{4}-\d\d-\d\d))?")
FOLDERS = count()
DAYS = st.integers(0, LAST)


class Killed(BaseException):
    """A process is no more; nothing of it catches this."""


@dataclass(frozen=True)
class Line:
    """A request that was logged: no two are equal, so one that is there twice was copied.

    Attributes:
        day: The number of its day.
        number: Its own.
        is_error: Whether it was answered with a server error.
    """

    day: int
    number: int
    is_error: bool

    def __str__(self) -> str:
        second = self.number * 433 % 86_400
        at = datetime.combine(day_of(self.day), datetime.min.time()) + timedelta(seconds=second)
        request = f'"GET /{self.number} HTTP/1.1" {500 if self.is_error else 200} {100_000 + self.number}'
        return f'192.0.2.1 - - [{at:%d/%b/%Y:%H:%M:%S} +0000] {request} "-" "curl"\n'


@dataclass
class Log:
    """A raw file of the model.

    Attributes:
        lines: What is in it, in order.
        day: The number of the day that its name tells, None where it tells none.
    """

    lines: list[Line]
    day: int | None


@dataclass
class Stream:
    """A source of the model.

    Attributes:
        name: That of its section.
        application: Whose requests it has; it stays when the source is renamed.
        is_dated: Whether its files are.
        covers_next: Whether a dated file may hold lines of the next day.
        formerly: What it was called.
        files: Its raw files, by name.
    """

    name: str
    application: str
    is_dated: bool
    covers_next: bool = False
    formerly: tuple[str, ...] = ()
    files: dict[str, Log] = field(default_factory=dict, repr=False)

    def current(self, day: int) -> str:
        """Return the name of the file that lines of a day are written to."""
        return f"{self.application}-{day_of(day)}.log" if self.is_dated else f"{self.application}.log"

    def read_for(self, day: int) -> list[Log]:
        """Return the files that may hold lines of a day."""
        days = {None, day, *([day - 1] if self.covers_next else [])}
        return [each for each in self.files.values() if each.day in days]

    def of_day(self, day: int) -> list[Line]:
        """Return the lines of a day in those files, all copies."""
        return [line for each in self.read_for(day) for line in each.lines if line.day == day]

    def strays(self, day: int) -> dict[Line, int]:
        """Return the lines of a day in other files, with the days of those."""
        read = [id(each) for each in self.read_for(day)]
        return {
            line: each.day or 0
            for each in self.files.values()
            if id(each) not in read
            for line in each.lines
            if line.day == day
        }

    def section(self, *, allows_empty: bool) -> str:
        """Return its section of luigi.cfg."""
        text = (
            f"[source.{self.name}]\nformat = combined\napplication = {self.application}\nvantage = origin\n"
            f"since = {FIRST_DAY}\nmax_reject_rate = 1\nallow_empty = {'true' if allows_empty else 'false'}\n"
        )
        pattern = "-{YYYY}-{MM}-{DD}*.log*" if self.is_dated else ".log*"
        text += f"files = logs/{self.application}{pattern}\n"
        text += "covers = 0 to 1\n" if self.covers_next else ""
        return text + (f"formerly = {', '.join(self.formerly)}\n" if self.formerly else "")


def day_of(number: int) -> date:
    """Return the day of a number."""
    return FIRST_DAY + timedelta(days=number)


def days_in(text: str) -> set[date]:
    """Return the days that a sentence names, without what it advises and when something was begun."""
    said = re.sub(r"To restate them:.*|begun \d{4}-\d\d-\d\d", "", text)
    named = set()
    for first, last in DATES.findall(said):
        begin = date.fromisoformat(first)
        end = date.fromisoformat(last or first)
        named |= {begin + timedelta(days=n) for n in range((end - begin).days + 1)}
    return named


def engine(  # noqa: PLR0913 - as Engine has it
    plan: Plan,
    past: Attempts,
    *,
    workers: int,
    max_failures: int | None = None,
    say: Callable[[str], None] | None = None,
    says_errors: bool = True,
) -> Result:
    """Build a plan's days one after the other, in this process, as Luigi's one worker does; it is an `Engine`."""
    del workers, max_failures, say, says_errors
    ends: list[End] = []

    def is_there(unit: Unit) -> bool:
        if unit.is_published():
            return True
        if unit.is_extracted and unit.why_not(clock.utc_now()):
            return False
        outcome, error = Outcome.BUILT, None
        try:
            missing = [each for each in unit.requires() if not is_there(each)]  # one that fails stops no other
            if missing:
                return False
            unit.build(FIRST, plan.range.stop, clock.utc_now())
        except LakeError as failed:
            outcome = Outcome.NO_INPUT if isinstance(failed, NoLines) else Outcome.FAILED
            error = str(failed)[:LONGEST_ERROR]
        ends.append(End(unit.day, unit.name, clock.utc_now(), 0.1, error, outcome, unit.source))
        return error is None

    for each in plan.units:
        is_there(each)
    past.record(attempts(ends, plan.range.example, "run"))
    failed = {each.date for each in ends if each.outcome is Outcome.FAILED}
    waiting = {each.date: each.error or "" for each in ends if each.outcome is Outcome.NO_INPUT}
    return Result(frozenset(failed), {}, waiting, {})


class ProjectMachine(RuleBasedStateMachine):
    """A project, its raw files, and what is true of them."""

    def __init__(self, folder: Path, lake: str) -> None:
        super().__init__()
        self.folder, self.lake = folder, lake
        (folder / "logs").mkdir(parents=True)
        self.clock, self.numbers, self.names = count(1), count(1), count(1)
        self.today = 1
        self.streams: list[Stream] = []
        self.accepts_loss = False
        self.revisions: dict[tuple[str, int], int] = {}  # of requests, by application
        self.made_of: dict[tuple[str, int], Counter[Line]] = {}  # likewise
        self.counted: dict[tuple[str, int], set[Line]] = {}  # published of an application once
        self.left: dict[tuple[str, int], set[Line]] = {}  # published of sources that are no longer declared
        self.lost: dict[str, list[Line]] = {}  # what dated files held that are gone, by their names
        self.is_killed = self.is_troubled = self.has_equal_sizes = False

    # What there is

    @property
    def now(self) -> datetime:
        """Noon of today."""
        return datetime.combine(day_of(self.today), datetime.min.time(), UTC) + timedelta(hours=12)

    @property
    def range(self) -> DayRange:
        """All days that are settled."""
        return DayRange(Unit(project(), self.dataset, FIRST_DAY), FIRST_DAY, day_of(self.today))

    def stamp(self, path: Path) -> None:
        """Give a file a time that no other version of it has."""
        moment = next(self.clock) * 10**9
        os.utime(path, ns=(moment, moment))

    def configure(self) -> None:
        """Write luigi.cfg."""
        severity = "warn" if self.warns else "fail"
        text = f"[lake]\n{self.lake}[completeness]\nduplicate_files = {severity}\n"
        text += "".join(each.section(allows_empty=self.allows_empty) for each in self.streams)
        path = self.folder / "luigi.cfg"
        path.write_text(text, encoding="utf-8")
        self.stamp(path)

    def put(self, stream: Stream, name: str, log: Log) -> None:
        """Write a raw file."""
        path, data = self.folder / "logs" / name, "".join(map(str, log.lines)).encode()
        path.write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
        self.stamp(path)
        stream.files[name] = log

    def take(self, stream: Stream, name: str) -> Log:
        """Remove a raw file, and return what it was."""
        (self.folder / "logs" / name).unlink()
        return stream.files.pop(name)

    def lose(self, stream: Stream, name: str) -> None:
        """Remove a raw file: what was published of its days is the best that is known of them."""
        log = self.take(stream, name)
        if stream.is_dated:
            self.lost[name] = log.lines
        days = {line.day for line in log.lines} if log.day is None else {log.day, log.day + 1}
        for key in self.made_of.keys() & {(stream.application, day) for day in days}:
            self.counted.setdefault(key, set()).update(self.made_of[key])
        of = {line.day for line in log.lines} | ({log.day} if log.lines and log.day is not None else set())
        self.is_troubled |= any((stream.application, day) not in self.made_of for day in of)  # made without it

    def lines(self, day: int, size: int, errors: int) -> list[Line]:
        """Return new lines."""
        return [Line(day, next(self.numbers), n < errors) for n in range(size)]

    def figures(self) -> dict[tuple[date, str], tuple[int, int]]:
        """Return the published requests and server errors of each day and application."""
        lake, found = project().lake, Counter()
        errors: Counter[tuple[date, str]] = Counter()
        with lake.staging() as folder:
            for partition in lake.latest(contract(self.dataset)):
                columns = ["application", "requests_total", "server_error_requests"]
                for row in pq.read_table(
                    lake.local_copy(partition, folder), columns=columns, partitioning=None
                ).to_pylist():
                    key = partition.dt, row["application"]
                    found[key] += row["requests_total"]
                    errors[key] += row["server_error_requests"]
        return {key: (number, errors[key]) for key, number in found.items()}

    def true_lines(self, day: int) -> dict[str, set[Line]]:
        """Return the lines of a day, by application: each once, however often it lies there."""
        found: dict[str, set[Line]] = {}
        for stream in self.streams:
            lines = found.setdefault(stream.application, set())
            lines.update(stream.of_day(day))
            lines.update(
                line for line, of in stream.strays(day).items() if (stream.application, of) in self.made_of
            )
        for (application, of), lines in (*self.counted.items(), *self.left.items()):
            if of == day:
                found.setdefault(application, set()).update(lines)
        return found

    def note(self) -> None:
        """Learn what was published of requests since the last time, and from which lines."""
        for stream in self.streams:
            for partition in project().lake.latest(contract("requests")):
                key = stream.application, (partition.dt - FIRST_DAY).days
                is_own = partition.source in {stream.name, *stream.formerly}
                if is_own and self.revisions.get(key, -1) != partition.revision:
                    lines = stream.of_day(key[1])
                    self.revisions[key], self.made_of[key] = partition.revision, Counter(lines)
                    if self.accepts_loss:
                        self.counted[key] = set()
                    self.counted.setdefault(key, set()).update(lines)

    # What is done

    def command(self, run: Callable[..., int], asked: object, kill: int | None = None) -> tuple[int | None, str]:
        """Run a command, and be killed before or after so many of its writes; return its code and what it says."""
        store, left, said = project().lake.store, [kill], io.StringIO()
        create = store.create

        def dying(key: str, file: object) -> bool:
            if left[0] is None:
                return create(key, file)
            left[0] -= 1
            if left[0] == -1:
                raise Killed
            created = create(key, file)
            if not left[0] and kill % 2:
                raise Killed
            return created

        store.create = dying
        code = None
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = run(asked)
        except LakeError as error:
            code = error.exit_code
            said.write(str(error))
        except Killed:
            self.is_killed = True
        finally:
            del store.create
        self.note()
        return code, said.getvalue()

    def settled(self, stop: int | None = None) -> dict[str, object]:
        """Return the options that name the days of a command."""
        return {
            "of": name_of(self.dataset),
            "source": None,
            "json": False,
            "start": FIRST_DAY,
            "stop": day_of(min(stop or LAST + 1, self.today)),
        }

    def restated(self, kill: int | None = None, **what: object) -> tuple[int | None, str]:
        """Run `backfill restate`."""
        asked = self.settled() | {
            "late": False,
            "stale": False,
            "deep": False,
            "date": None,
            "unfinished": False,
            "drop_source": [],
            "accept_loss": False,
            "reason": "why",
            "yes": True,
        }
        self.accepts_loss |= bool(what.get("accept_loss"))  # and if it is killed, until it is completed
        found = self.command(range_commands.restated, options.Restate(**(asked | what)), kill)
        self.accepts_loss &= bool(restatements.unfinished(project().lake))
        return found

    @initialize(
        kinds=st.sampled_from([["undated"], ["undated"], ["dated"], ["covers"], ["undated", "dated"]]),
        has_rates=st.sampled_from([False, False, False, True]),
        warns=st.booleans(),
        allows_empty=st.booleans(),
        size=st.integers(1, 4),
    )
    def begin(self, kinds, has_rates, warns, allows_empty, size):
        """A source or two, with some lines of each day so far."""
        self.dataset = "error_rate" if has_rates else "error_counts"
        self.warns, self.allows_empty = warns, allows_empty
        for kind in kinds:
            self.add(kind)
        for stream in self.streams:
            for day in range(self.today + 1):
                self.write(stream, day, day, size, 1)
        self.run()

    def add(self, kind: str) -> None:
        """Declare a source."""
        name = f"s{next(self.names)}"
        self.streams.append(Stream(name, name, kind != "undated", kind == "covers"))
        self.configure()

    def write(self, stream: Stream, day: int, of: int, size: int, errors: int) -> None:
        """Append lines of a day to the file of another one."""
        name = stream.current(of)
        for counted in self.counted.values():  # what comes in a file's place stands for it
            counted.difference_update(self.lost.get(name, []))
        self.lost.pop(name, None)
        log = stream.files.get(name, Log([], of if stream.is_dated else None))
        self.put(stream, name, Log([*log.lines, *self.lines(day, size, errors)], log.day))

    def any_stream(self, data: st.DataObject) -> Stream:
        """Choose a source."""
        return data.draw(st.sampled_from(self.streams), label="source")

    def any_file(self, data: st.DataObject) -> tuple[Stream, str]:
        """Choose a raw file."""
        every = [(stream, name) for stream in self.streams for name in sorted(stream.files)]
        stream, name = data.draw(st.sampled_from(every), label="file")
        return stream, name

    @rule(data=st.data(), day=DAYS, size=st.sampled_from([1, 2, 3, BULK]), errors=st.integers(0, 2))
    def append(self, data, day, size, errors):
        """Lines come, late ones too, to the log or to the file of their day, which may be a new one."""
        day = min(day, self.today)
        self.write(self.any_stream(data), day, day, size, errors)

    @rule(data=st.data(), day=DAYS, off=st.sampled_from([1, 1, -1]))
    def stray(self, data, day, off):
        """Lines of the next day, or of the day before, come to a dated file."""
        stream, day = self.any_stream(data), min(day, self.today)
        if stream.is_dated and 0 <= day + off <= self.today:
            self.is_troubled |= not stream.covers_next or off < 0
            self.write(stream, day + off, day, 2, 1)

    @rule(data=st.data())
    def rotate(self, data):
        """The log is renamed, the one before compressed, the oldest deleted; a dated file is compressed."""
        stream = self.any_stream(data)
        if stream.is_dated:
            plain = [
                name
                for name in sorted(stream.files)
                if not name.endswith(".gz") and f"{name}.gz" not in stream.files  # as gzip refuses to
            ]
            if plain:
                self.put(stream, f"{plain[0]}.gz", self.take(stream, plain[0]))
            return
        name = stream.current(0)
        if f"{name}.2.gz" in stream.files:
            self.lose(stream, f"{name}.2.gz")
        if f"{name}.1" in stream.files:
            self.put(stream, f"{name}.2.gz", self.take(stream, f"{name}.1"))
        if name in stream.files:
            log = stream.files.pop(name)
            path = self.folder / "logs" / name
            path.rename(path.with_name(f"{name}.1"))  # its time stays
            stream.files[f"{name}.1"] = log

    @precondition(lambda self: any(each.files for each in self.streams))
    @rule(data=st.data(), errors=st.integers(0, 2), is_longer=st.booleans())
    def replace(self, data, errors, is_longer):
        """A file's lines are others now, as many or one more: those before were wrong."""
        stream, name = self.any_file(data)
        log = stream.files[name]
        days = [line.day for line in log.lines]
        lines = [Line(day, next(self.numbers), n < errors) for n, day in enumerate(days)]
        if is_longer and days:
            lines += self.lines(days[-1], 1, 0)
        self.has_equal_sizes |= stream.is_dated
        for counted in self.counted.values():
            counted.difference_update(log.lines)
        self.put(stream, name, Log(lines, log.day))

    @precondition(lambda self: any(each.files for each in self.streams))
    @rule(data=st.data(), is_compressed=st.booleans())
    def duplicate(self, data, is_compressed):
        """A file is there again, under another name, compressed perhaps; of a long one a part."""
        stream, name = self.any_file(data)
        log = stream.files[name]
        number = next(self.names)
        stem = (
            f"{stream.current(log.day)[:-4]}-{number}.log" if stream.is_dated else f"{stream.current(0)}.x{number}"
        )
        part = [
            line for line, after in zip(log.lines, log.lines[1:], strict=False) if after.number == line.number + 1
        ]
        lines = [each for each in part if each.day == part[0].day] if part else []
        is_part = len(lines) >= BULK - 1 and is_compressed
        self.is_troubled = True
        self.put(stream, f"{stem}.gz" if is_compressed else stem, Log(lines if is_part else log.lines, log.day))

    @precondition(lambda self: any(each.files for each in self.streams))
    @rule(data=st.data())
    def delete(self, data):
        """A file goes away; another one of its name and size may come."""
        stream, name = self.any_file(data)
        self.has_equal_sizes |= stream.is_dated
        self.lose(stream, name)

    @precondition(lambda self: len(self.streams) < 2)
    @rule(kind=st.sampled_from(["undated", "dated", "covers"]), is_old=st.booleans())
    def add_source(self, kind, is_old):
        """A source comes, with logs of the days that are over perhaps."""
        self.add(kind)
        self.is_troubled = True
        for day in range(0 if is_old else self.today, self.today + 1):
            self.write(self.streams[-1], day, day, 2, 1)

    @precondition(lambda self: len(self.streams) > 1)
    @rule(data=st.data())
    def remove_source(self, data):
        """A source is no longer declared; what was published of it stays."""
        stream = self.any_stream(data)
        self.streams.remove(stream)
        self.leave(stream)
        self.configure()

    @rule(data=st.data(), says_so=st.sampled_from([True, True, False]))
    def rename_source(self, data, says_so):
        """A source gets another name, and luigi.cfg says so, or doesn't."""
        stream = self.any_stream(data)
        if not says_so:
            self.leave(stream)
        stream.formerly = (*stream.formerly, stream.name) if says_so else ()
        stream.name = f"s{next(self.names)}"
        self.configure()

    def leave(self, stream: Stream) -> None:
        """Let what was published of a source stay, whatever becomes of its files: luigi.cfg no longer has it."""
        self.is_troubled = True
        there = {each.dt for each in project().lake.latest(contract(self.dataset))}
        for application, day in [key for key in self.made_of if key[0] == stream.application]:
            self.counted.pop((application, day), None)
            lines = self.made_of.pop((application, day))
            if day_of(day) in there:
                self.left.setdefault((application, day), set()).update(lines)

    @precondition(lambda self: self.today <= LAST)
    @rule()
    def advance(self):
        """A day goes by, and its lines come."""
        self.today += 1
        for stream in self.streams:
            self.write(stream, self.today, self.today, 2, 1)

    @rule(stop=st.integers(1, LAST + 1), kill=st.none() | st.integers(0, 16))
    def run_range(self, stop, kill):
        """Days are built, up to one; and what builds them may be killed."""
        self.run(stop, kill)

    def run(self, stop: int | None = None, kill: int | None = None) -> tuple[int | None, str]:
        """Run `backfill run`."""
        asked = options.Run(**self.settled(stop), retry_failed=False, max_failures=None, order="oldest", workers=1)
        return self.command(range_commands.run, asked, kill)

    @rule(late=st.booleans(), stale=st.booleans(), kill=st.none() | st.integers(0, 16))
    def restate(self, late, stale, kill):
        """What is found is restated, or what was cut off completed; and that may be killed."""
        self.restated(kill, late=late, stale=stale, unfinished=not late and not stale)
        self.look()

    @rule(
        day=DAYS,
        of_counts=st.booleans(),
        data=st.data(),
        kill=st.none() | st.integers(0, 16),
        accepts_loss=st.booleans(),
    )
    def restate_day(self, day, of_counts, data, kill, accepts_loss):
        """A day is restated that somebody names, without files that are gone if they say so."""
        of = self.settled() if of_counts else {"of": "RequestsDaily", "source": self.any_stream(data).name}
        self.restated(kill, **of, date=day_of(min(day, self.today - 1)), accept_loss=accepts_loss)
        self.look()

    # What must hold

    def look(self) -> dict[date, set[str]]:
        """A figure that is wrong is named by a command, and where nothing is wrong nothing is said."""
        days = self.range
        there = {each.dt for each in project().lake.latest(contract(self.dataset)) if each.dt < days.stop}
        figures = self.figures()
        wrong: dict[date, set[str]] = {}
        for day in range(self.today):
            if day_of(day) not in there:
                continue
            true = self.true_lines(day)
            published = {of: each for (when, of), each in figures.items() if when == day_of(day)}
            for application in {*true, *published}:
                lines = true.get(application, set())
                expected = len(lines), sum(each.is_error for each in lines)
                if published.get(application, (0, 0)) != expected:
                    wrong.setdefault(day_of(day), set()).add(
                        f"{application} has {published.get(application)}, not {expected}"
                    )
        if not wrong and not self.is_as_published():
            return wrong
        lacks = days.lacking(days.made(days.survey(self.now)))
        late.look(days, self.now)
        said = [*concerns(days, there), *(f"{day} {text}" for day, text in lacks.items())]
        named = set().union(*map(days_in, said))
        for day in wrong.keys() - named:
            strays = {
                day_of(of) for stream in self.streams for of in stream.strays((day - FIRST_DAY).days).values()
            }
            is_told = strays & named or self.is_found_by_reading_all(day) or self.has_few_equal_lines(day)
            assert is_told, (day, wrong[day], said)
        if not wrong:
            assert not said
            assert not Look(stale=True).outdated(days)
        return wrong

    def is_found_by_reading_all(self, day: date) -> bool:
        """Tell whether a wrong day is found where it must be at last: a dated file of the same size is another."""
        look = Look(late=True, stale=True, deep=True)
        return self.has_equal_sizes and any(each.unit.day == day for each in look.outdated(self.range))

    def has_few_equal_lines(self, day: date) -> bool:
        """Tell whether different files of a day have a few lines alike, which nobody can tell from real ones."""
        number = (day - FIRST_DAY).days
        for stream in self.streams:
            files = [[line for line in each.lines if line.day == number] for each in stream.read_for(number)]
            whole = [each.lines for each in stream.read_for(number)]
            for one, other in combinations(range(len(files)), 2):
                if whole[one] != whole[other] and 0 < len({*files[one]} & {*files[other]}) < MANY:
                    return True
        return False

    def is_as_published(self) -> bool:
        """Tell whether nothing is there to be said: all days were made from the lines that are there."""
        return (
            not self.is_troubled
            and not self.is_killed
            and all(
                self.made_of[application, day] == Counter(stream.of_day(day))
                for stream in self.streams
                for application, day in self.made_of
                if application == stream.application
            )
        )

    def teardown(self):
        """At the end all that is named is restated: then all is right, or it is said what can't be."""
        if self.streams:
            self.look()
            codes = [
                self.restated(unfinished=True, accept_loss=True),
                self.restated(late=True, stale=True, deep=True),
                self.run(),
            ]
            assert all(code == 0 or said.strip() for code, said in codes)
            if not any(code for code, _ in codes[:2]):
                self.is_killed = False
                wrong = self.look()
                assert not wrong or self.is_troubled
            elif not self.is_troubled:
                assert "gone" in codes[1][1] or "would lose" in codes[1][1], codes
            if codes[2][0] and not self.is_troubled:
                assert re.search(r" 0 failed, [1-9]\d* waiting", codes[2][1]), codes
            self.verify()
        shutil.rmtree(self.folder)

    def verify(self):
        """Nothing that is published was damaged; what is older than its inputs or its raw logs may be."""
        sources = {each.name: each for each in project().sources}
        raw_logs = RawLogs(project().lake, sources, is_deep=True)
        found = [
            each.what for each in Verification(project().lake, Scope(is_deep=True), raw_logs.changed).findings()
        ]
        if self.is_as_published() and not any(self.revisions.values()):
            assert not found
        expected = ("raw log ", "outdated: ", "gone: ", *(["a restatement of "] if self.is_killed else []))
        assert not [each for each in found if not each.startswith(expected)]


@pytest.fixture
def living(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Callable[[], ProjectMachine]]:
    """Return what gives projects that live in this process, one at a time, with lakes of a kind."""
    machine: list[ProjectMachine] = []
    monkeypatch.setattr(clock, "utc_now", lambda: machine[0].now)
    monkeypatch.setattr(range_commands, "_engine", lambda _: engine)

    def of(lake: str) -> Callable[[], ProjectMachine]:
        def make() -> ProjectMachine:
            folder = tmp_path / f"project{next(FOLDERS)}"
            monkeypatch.setenv("LUIGI_CONFIG_PATH", str(folder / "luigi.cfg"))
            machine[:] = [ProjectMachine(folder, lake.format(folder.name))]
            return machine[0]

        return make

    return of


def test_no_figure_is_wrong_in_silence(living):
    """Whatever becomes of raw files, sources and restatements; few lives, in less than seconds each."""
    live(living("root = lake\n"), lives=8, steps=STEPS)


@pytest.mark.longest
@pytest.mark.slow
def test_no_figure_of_a_lake_on_disk_is_wrong_in_silence(living):
    """The same, of many lives."""
    live(living("root = lake\n"), lives=40, steps=STEPS)


@pytest.mark.longest
@pytest.mark.slow
def test_no_figure_of_a_lake_on_s3_is_wrong_in_silence(living, moto_url, monkeypatch):
    """The same, in a bucket."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    make_bucket(moto_url, "machine")
    live(living(f"root = s3://machine/{{}}\nendpoint_url = {moto_url}\n"), lives=10, steps=STEPS)
