"""etl, lake and queries do without Luigi: `make test-without-luigi` runs this where there is none."""

import sys

import pytest

DAYS = """
import pkgutil, sys
from importlib import import_module

for package in map(import_module, ("lake", "etl", "queries")):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):  # that is a command
            import_module(module.name)

from etl.project import project
from etl.sources.source import ONE_DAY
from etl.units import Unit, below

(source,) = project().sources
day = source.since
while day < source.until:
    for unit in below(Unit(project(), "error_rate", day)):
        unit.build()
    day += ONE_DAY
print({name.partition(".")[0] for name in sys.modules} & {"luigi", "tasks", "backfill"})
"""
RATES = "select dt, application, valid_requests, server_error_requests from error_rate order by all"


@pytest.mark.slow
def test_what_is_built_and_asked_without_luigi(a_project):
    """Every module is imported; days are built, asked for and checked; nothing has imported Luigi for it."""
    done = a_project.run(sys.executable, "-W", "error", "-c", DAYS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "set()\n", "")
    assert len(a_project.published()) == 24
    answer = a_project.run("lake", "sql", "--csv", RATES)
    days = "".join(f"2015-05-{day},shop,3,1\n" for day in range(17, 21))
    assert answer.stdout == f"dt,application,valid_requests,server_error_requests\n{days}"
    for command in (("verify",), ("catalog", "lake.duckdb"), ("report",), ("ls",)):
        done = a_project.run("lake", *command)
        assert (command, done.returncode, done.stderr) == (command, 0, "")
