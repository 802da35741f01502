"""What is taken for granted of Luigi's inside: it is so in the installed one, the oldest and the newest."""

import ast
import inspect
import logging
import os
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import luigi
import luigi.cmdline
import luigi.interface
import pytest
from luigi.parameter import UnconsumedParameterWarning
from packaging.requirements import Requirement

import backfill.engines
import tasks
from backfill.engines.local import internals
from backfill.engines.local.central import Factory
from backfill.engines.local.internals import factory, messages
from lake.errors import ConfigError, LakeError

REPOSITORY = Path(__file__).parents[5]
ROOM = internals.__name__


class Done(luigi.Task):
    """There is nothing to do."""

    complete = staticmethod(lambda: True)


class Elsewhere(luigi.ExternalTask):
    """It is made elsewhere, and not there."""

    complete = staticmethod(lambda: False)


def refuse():
    """Nobody knows."""
    raise ConfigError("the lake is gone\nand so: it is")


class CanNotLook(luigi.Task):
    """Nobody knows whether it is there."""

    complete = staticmethod(refuse)


class CanNotRequire(luigi.Task):
    """Nobody knows what it requires."""

    complete = staticmethod(lambda: False)
    requires = staticmethod(refuse)


@pytest.fixture
def build():
    """Return a function that has Luigi's own scheduler and worker build a task, and what Luigi logs then."""
    records = []

    class Noted(logging.Handler):
        def emit(self, record):
            records.append(record)

    logger = logging.getLogger("luigi-interface")
    filters, logger.filters = logger.filters, []
    level = logger.level
    logger.setLevel(logging.WARNING)  # whatever Luigi was told when it was first asked to log
    handler = Noted()
    logger.addHandler(handler)

    def run(task):
        records.clear()
        luigi.build([task], local_scheduler=True, no_lock=True, log_level="WARNING")
        return list(records)

    yield run
    logger.removeHandler(handler)
    logger.filters = filters
    logger.setLevel(level)


def test_the_command_line_makes_what_it_needs_with_our_factory(monkeypatch):
    """It does all that Luigi's own does, under the same names."""
    made = []

    class Noted(Factory):
        def create_worker(self, **wanted):
            made.append(type(wanted["scheduler"]))
            return super().create_worker(**wanted)

    monkeypatch.setattr(luigi.interface, "_WorkerSchedulerFactory", None)
    factory.use(Noted)
    with pytest.raises(SystemExit, match=r"^0$"):
        luigi.cmdline.luigi_run(["Done", "--local-scheduler", "--no-lock", "--log-level", "WARNING"])
    assert made == [luigi.scheduler.Scheduler]


def test_luigis_own_factory_has_no_other_methods():
    """Ours has them, with the same parameters."""
    source = ast.parse(inspect.getsource(luigi.interface))
    (own,) = (
        node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "_WorkerSchedulerFactory"
    )
    wanted = {each.name: [arg.arg for arg in each.args.args] for each in own.body}
    assert wanted == {name: list(inspect.signature(getattr(Factory, name)).parameters) for name in wanted}


@pytest.mark.parametrize("task", [CanNotLook, CanNotRequire])
def test_an_error_while_scheduling_is_a_text(build, task):
    """The task and the reason are found in it, for the errors that are asked for and no others."""
    found = [messages.scheduling_error(each, (LakeError,)) for each in build(task())]
    assert [each for each in found if each] == [
        (f"Will not run {task.__name__}()", "the lake is gone\nand so: it is")
    ]
    assert not any(messages.scheduling_error(each, (OSError,)) for each in build(task()))


def test_data_that_is_not_there(build):
    """Luigi says it of an external task, and only of one."""
    assert [messages.says_no_data(each) for each in build(Elsewhere())].count(True) == 1
    assert not any(map(messages.says_no_data, build(CanNotLook())))


def test_a_configuration_that_is_not_there():
    """It is a warning with this beginning."""
    with pytest.warns(UserWarning, match=messages.NO_CONFIGURATION):
        luigi.configuration.add_config_path("/nowhere/luigi.cfg")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # it has a new name, too
def test_luigi_warns_of_its_own_setting(monkeypatch):
    """Of the scheduler's place, whichever way it is named; once nobody is warned, the filter can go."""
    config = luigi.configuration.get_config()
    monkeypatch.setattr(luigi.interface.core, "_unconsumed_params", set())
    config.set("core", "default_scheduler_url", "http://127.0.0.1:1")
    try:
        with pytest.warns(UnconsumedParameterWarning, match=messages.OWN_SETTING):
            luigi.interface.core()
    finally:
        config.remove_option("core", "default_scheduler_url")


def modules_of(package) -> Iterator[str]:
    """Yield the names of a package's modules that are not in the room for such things."""
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not each.name.startswith(ROOM):
            yield each.name


OUTSIDE = sorted({*modules_of(backfill), *modules_of(tasks)} - {"backfill.engines.spark.session"})
"""All modules but one that has to do with another library's private names."""


def is_private(name: object) -> bool:
    """Tell whether a name is one that nobody else is to use."""
    return isinstance(name, str) and name.startswith("_") and not name.endswith("__") and name != "_"


def names_in(tree: ast.AST) -> set[str]:
    """Return the private names that a text defines, and that it reads or sets of an object."""
    nodes = list(ast.walk(tree))
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    set_here = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return set(filter(is_private, defined | used | set_here))


def luigis_names(kind: type) -> set[str]:
    """Return the private names that Luigi's classes have among those that a class is derived from."""
    above = [each for each in kind.__mro__ if each.__module__.partition(".")[0] == "luigi"]
    return {name for each in above for name in names_in(ast.parse(inspect.getsource(each)))}


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_private_luigi_outside_its_room(name):
    """No class of ours has or uses what is private to Luigi's that it is derived from, and nobody else does."""
    module = import_module(name)
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "luigi":
            assert not [each.name for each in node.names if is_private(each.name)]
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            root = node.value
            is_own = isinstance(root, ast.Name) and root.id in {"self", "cls", "os"}
            assert is_own, f"{name}:{node.lineno}: {node.attr} of another object"
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            patched = [ast.unparse(each) for each in targets if ast.unparse(each).startswith("luigi.")]
            assert not patched, f"{name}:{node.lineno}"
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            assert not names_in(node) & luigis_names(getattr(module, node.name)), f"{name}.{node.name}"


def test_that_is_noticed():
    """A class that says what Luigi's worker keeps to itself has the same names in it."""

    class Curious(luigi.worker.Worker):
        pass

    said = names_in(ast.parse("class Curious(Worker):\n def f(self): return self._scheduled_tasks"))
    assert said & luigis_names(Curious) == {"_scheduled_tasks"}


def allowed() -> list[str]:
    """Return the oldest Luigi that pyproject.toml allows, and all that it does, as pip understands them."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        wanted = map(Requirement, tomllib.load(file)["project"]["dependencies"])
    (its,) = (each for each in wanted if each.name == "luigi")
    (oldest,) = (each.version for each in its.specifier if each.operator == ">=")
    return [f"luigi=={oldest}", str(its)]


@pytest.mark.slow
@pytest.mark.parametrize("wanted", allowed(), ids=["oldest", "newest"])
def test_so_it_is_in_the_oldest_and_the_newest(tmp_path, wanted):
    """These tests, and those of ranges and workers, pass with each."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--target", tmp_path, wanted], check=True)
    folder = REPOSITORY / "tests/backfill/engines/local"
    chosen = [folder / "internals", folder / "test_ranges.py", folder / "test_worker.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *chosen]
    found = subprocess.run(
        [sys.executable, "-c", "import luigi; print(luigi.__file__)"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(str(tmp_path))
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
