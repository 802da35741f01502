"""Mutation testing of `lake/`: breaks the code at one place after another, and asks whether a test notices.

    python tests/lake/mutate.py [--least 90] [MODULE …]

The operators are mutmut's. Its own runner leaves out what is decorated (context managers, properties) and what is
outside of functions (patterns of keys, exit codes, defaults); here each mutant is a source file in a copy of the
repository, so that commands which tests run meet it, too.

Of a mutant are asked the tests that execute its line, all those of tests/lake/ROOM/test_MODULE.py first, then the
quickest of the others for SECONDS_OF_TESTS, until one fails. Annotations, decorators and documentation are not
mutated, nor are the wording of messages (a text with a space in it) and "utf-8", which means the same in capitals.

Prints survivors as diffs, and each module's score; exits 1 below `--least`.
"""

import argparse
import ast
import difflib
import gc
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import Queue

import libcst
from coverage import CoverageData
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

REPOSITORY = Path(__file__).parents[2]
COPIED = (
    "lake",
    "etl",
    "tasks",
    "backfill",
    "queries",
    "tests",
    "docs",
    "luigi.cfg",
    "pyproject.toml",
    "README.md",
    "glossary.md",
)
ROOMS = (".", "memory", "parquet", "store", "catalog", "commands")
TESTS = ("tests/lake", "tests/backfill/test_verify.py")
HEAVY = ("boto3", "duckdb", "hypothesis.strategies", "luigi", "moto.server", "numba", "pandas", "pyarrow.dataset")
WORKERS = 2
SECONDS_OF_TESTS = 8
UNTOUCHED_CALLS = {"len", "isinstance", "ClassVar", "TypeVar"}


@dataclass(frozen=True)
class Mutant:
    """A source file with one place changed.

    Attributes:
        path: The file, relative to the repository.
        line: Where the place begins, in the file as it was.
        lines: All its lines, as far as they lie in functions; what lies outside is executed at import.
        source: The whole changed text.
    """

    path: str
    line: int
    lines: frozenset[int]
    source: str


@dataclass(frozen=True)
class Test:
    """A test, how long it took, and the lines of `lake/` that it executed in this process."""

    name: str
    seconds: float
    lines: frozenset[tuple[str, int]]


class Places(libcst.CSTVisitor):
    """Collects what the operators make of each place of a module."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        self.found: list[tuple[libcst.CSTNode, libcst.CSTNode, range]] = []

    def on_visit(self, node: libcst.CSTNode) -> bool:
        """Collect the mutations of a node; tell whether to look into it."""
        match node:
            case libcst.Annotation() | libcst.Decorator() | libcst.Expr(value=libcst.SimpleString()):
                return False
            case libcst.Call(func=libcst.Name(value=name)) if name in UNTOUCHED_CALLS:
                return False
            case libcst.SimpleString(value=text) if " " in text or text == '"utf-8"':
                return False
        where = self.get_metadata(PositionProvider, node, None)
        if where:
            for kind, operator in mutation_operators:
                if isinstance(node, kind):
                    lines = range(where.start.line, where.end.line + 1)
                    self.found += [(node, changed, lines) for changed in operator(node)]
        return True


def mutants(path: str) -> Iterator[Mutant]:
    """Yield all that differ from the file and from each other, and are Python."""
    module = MetadataWrapper(libcst.parse_module((REPOSITORY / path).read_text(encoding="utf-8")))
    places = Places()
    module.visit(places)
    tree = ast.parse(module.module.code)
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
    inside = frozenset(n for each in functions for n in range(each.body[0].lineno, (each.end_lineno or 0) + 1))
    seen = {ast.dump(tree)}
    for node, changed, lines in places.found:
        source = module.module.deep_replace(node, changed).code
        with suppress(SyntaxError):
            if (meaning := ast.dump(ast.parse(source))) not in seen:
                seen.add(meaning)
                yield Mutant(path, lines.start, inside.intersection(lines), source)


class Copy:
    """A copy of the repository, and a process in it from which those that run tests are forked.

    What takes long to import is imported there once, and nothing of the project.
    """

    _times = count(1_000_000_000)  # of changed files, so that no compiled one is taken for another's

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source = REPOSITORY / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)
        self._server = self._start()

    def _start(self) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        return subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(self.folder), "TMPDIR": str(self.folder / "tmp")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, seconds: float = 600) -> int | None:
        """Run pytest with arguments; return its exit code, None if it took too long or ended the server."""
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        (self.folder / "tmp").mkdir()
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps([arguments, seconds]) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        if not answer:  # a mutant of os.kill(process, 0) sends signals
            self._server = self._start()
        code: int | None = json.loads(answer or "null")
        return code

    def is_killed(self, mutant: Mutant, tests: list[Test]) -> bool:
        """Tell whether one of the tests fails, or takes very long, with the mutant in place."""
        if not tests:
            return False
        path = self.folder / mutant.path
        path.write_text(mutant.source, encoding="utf-8")
        os.utime(path, (next(self._times),) * 2)
        try:
            return self.run("-x", *(t.name for t in tests), seconds=15 + 4 * sum(t.seconds for t in tests)) != 0
        finally:
            shutil.copy(REPOSITORY / mutant.path, path)
            os.utime(path, (next(self._times),) * 2)

    def tests(self) -> list[Test]:
        """Run all tests once and return what there is to know of them."""
        data = self.folder / ".coverage.contexts"
        (self.folder / "contexts.cfg").write_text(f"[run]\ndata_file = {data}\n", encoding="utf-8")
        report = self.folder / "report.xml"
        coverage = ("--cov=lake", "--cov-context=test", "--cov-config=contexts.cfg", "--cov-report=")
        if self.run(*coverage, f"--junit-xml={report}", *TESTS) != 0:
            say((self.folder / "pytest.log").read_text(encoding="utf-8"))
            sys.exit("The tests fail without any mutant. Fix that first.")
        executed: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        measured = CoverageData(str(data))
        measured.read()
        for file in measured.measured_files():
            path = str(Path(file).relative_to(self.folder))
            for line, contexts in measured.contexts_by_lineno(file).items():
                for context in contexts:
                    executed[context.rpartition("|")[0]].add((path, line))
        durations = json.loads((self.folder / "durations.json").read_text(encoding="utf-8"))
        return [Test(name, seconds, frozenset(executed[name])) for name, seconds in durations.items()]


def chosen(mutant: Mutant, tests: list[Test]) -> list[Test]:
    """Return the tests to ask of a mutant, in this order."""
    own = f"tests/{Path(mutant.path).parent}/test_{Path(mutant.path).stem}.py::"
    places = {(mutant.path, line) for line in mutant.lines}
    here = {t.name for t in tests if any(path == mutant.path for path, _ in t.lines)}
    if places:  # a test of its own file that executes nothing of the module here runs it in another process
        asked = [t for t in tests if t.lines & places or (own in t.name and t.name not in here)]
    else:
        asked = [t for t in tests if own in t.name or t.name in here]
    taken: list[Test] = []
    seconds = 0.0
    for test in sorted(asked, key=lambda t: (own not in t.name, t.seconds)):
        if seconds < SECONDS_OF_TESTS:
            taken.append(test)
            seconds += 0 if own in test.name else test.seconds
    return taken


def serve() -> None:
    """Fork a process for each line of the standard input, which runs pytest with the arguments in it."""
    for name in HEAVY:
        importlib.import_module(name)
    import pytest
    from hypothesis import Phase, settings

    # the first failure will do, however large
    settings.register_profile("first", phases=(Phase.explicit, Phase.generate), database=None, deadline=None)
    settings.load_profile("first")
    gc.freeze()  # pytest collects garbage each time it ends; so not in all of that
    for line in sys.stdin:
        arguments, seconds = json.loads(line)
        child = os.fork()
        if not child:
            os.setsid()
            nowhere = os.open("pytest.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            sys.path.insert(0, str(Path.cwd()))
            options = ["-q", "-m", "not slow", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
            options.append("-Wignore::pytest.PytestAssertRewriteWarning")  # of what is imported above
            os._exit(pytest.main([*options, *arguments], plugins=[Durations()]))
        say(json.dumps(_waited(child, time.monotonic() + seconds)))


def _waited(child: int, deadline: float) -> int | None:
    """Return a process's exit code; end it at the deadline, and what it has started in any case."""
    code = None
    while code is None and time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
        else:
            time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if code is None:
        os.waitpid(child, 0)
    return code


class Durations:
    """Writes down how long each test takes, fixtures of its own included."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: object) -> None:
        """Add a part of a test."""
        self._seconds[report.nodeid] += report.duration  # type: ignore[attr-defined]

    def pytest_sessionfinish(self) -> None:
        """Write them down."""
        Path("durations.json").write_text(json.dumps(self._seconds), encoding="utf-8")


def say(text: str) -> None:
    """Print a text at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def shown(mutant: Mutant) -> str:
    """Return a mutant as a diff without its head."""
    before = (REPOSITORY / mutant.path).read_text(encoding="utf-8").splitlines()
    lines = list(difflib.unified_diff(before, mutant.source.splitlines(), lineterm="", n=0))[2:]
    return "\n".join([f"{mutant.path}:{mutant.line}", *lines[1:]])


def main() -> None:
    """Mutate the modules named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="such as `partition` or `store/s3`; all without one")
    parser.add_argument("--least", type=float, default=90, help="the score in %% below which it is a failure")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve()
    paths = [path for room in ROOMS for path in (REPOSITORY / "lake" / room).glob("*.py")]
    names = arguments.modules or sorted(str(path.relative_to(REPOSITORY / "lake"))[:-3] for path in paths)
    todo = [mutant for name in names for mutant in mutants(f"lake/{name}.py")]
    say(f"{len(todo)} mutants of {', '.join(names)}")
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(WORKERS) as pool:
        copies: Queue[Copy] = Queue()
        for n in range(WORKERS):
            copies.put(Copy(Path(folder) / str(n)))
        tests = copies.queue[0].tests()

        def ask(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                return copy.is_killed(mutant, chosen(mutant, tests))
            finally:
                copies.put(copy)

        killed: Counter[str] = Counter()
        for mutant, is_killed in zip(todo, pool.map(ask, todo), strict=True):
            killed[mutant.path] += is_killed
            if not is_killed:
                say(shown(mutant))
    for path, total in Counter(mutant.path for mutant in todo).items():
        say(f"{100 * killed[path] / total:5.1f} %  {killed[path]:4} of {total:4}  {path}")
    score = 100 * killed.total() / len(todo)
    say(f"{score:5.1f} %  {killed.total():4} of {len(todo):4}")
    sys.exit(score < arguments.least)


if __name__ == "__main__":
    main()
