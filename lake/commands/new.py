"""`lake new`: writes the files of a metric, of a source of records, or of both, with golden cases that pass.

What it writes works as it stands: change its columns, its SQL and its cases to what is meant.
"""

import argparse
import keyword
import re
from pathlib import Path
from string import Template

import lake
from lake import sql
from lake.datasets import DATASETS
from lake.errors import ConfigError
from lake.names import hint

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 40
GOLDEN = "tests/queries/golden"
GOLDEN_RECORDS = "tests/etl/records/golden"
CLONE = ("pyproject.toml", GOLDEN, GOLDEN_RECORDS)
"""What tells a clone of the repository from what pip installs."""
METRIC = {
    "lake/contracts/$name.py": '''"""What $words is, in one sentence."""

import pyarrow as pa

from lake.contract import Column, Contract, Input
from lake.contracts.requests import APPLICATION, VANTAGE

CONTRACT = Contract(
    name="$name",
    version=1,
    grain="one application at one vantage",
    key=("application", "vantage"),
    inputs=(Input("error_counts"),),
    counts="requests",
    columns=(
        APPLICATION,
        VANTAGE,
        Column("requests", pa.int64(), "requests", "All requests, whatever their traffic class", minimum=1),
    ),
)
''',
    "queries/$name.sql": """-- Requests of one day per application and vantage.
select
    application,
    vantage,
    cast(sum(requests_total) as bigint) as requests
from error_counts
group by application, vantage
order by application, vantage
""",
    "tasks/$name.py": '''"""What $words is, in one sentence."""

from tasks.daily import DailyTask


class ${task}Daily(DailyTask):
    """Requests per application of one UTC day."""

    dataset = "$name"
''',
    "tests/queries/golden/$name/example/requests.csv": """application,vantage,ts,status
shop,edge,2026-09-17T00:00:00.000000,200
shop,edge,2026-09-17T23:59:59.999999,503
api,edge,2026-09-17T12:00:00.000000,404
""",
    "tests/queries/golden/$name/example/expected.csv": """application,vantage,requests
api,edge,1
shop,edge,2
""",
}
SOURCE = {
    "lake/contracts/$name.py": '''"""What the records of $words are, in one sentence."""

import pyarrow as pa

from lake.contract import Column, Contract

CONTRACT = Contract(
    name="$name",
    version=1,
    grain="one thing that has a name",
    key=("name",),
    per_source=True,
    columns=(
        Column("name", pa.string(), "name", "Which thing", pattern="[!-~]+"),
        Column("things", pa.int64(), "things", "How many of them there were", minimum=0),
    ),
)
''',
    "tasks/$name.py": '''"""From raw files to `$name` and `rejects`."""

import luigi

from tasks.daily import DailyTask


class ${task}Daily(DailyTask):
    """The records of one source on one UTC day."""

    dataset = "$name"
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")
''',
    "tests/etl/records/golden/$name/example/source.ini": """[source.$name]
dataset = $name
format = csv
files = {YYYY}-{MM}-{DD}.csv
max_reject_rate = 0.5
""",
    "tests/etl/records/golden/$name/example/2026-09-17.csv": """name,things
apples,3
pears,0
plums,some
""",
    "tests/etl/records/golden/$name/example/expected.csv": """name,things
apples,3
pears,0
""",
    "tests/etl/records/golden/$name/example/rejects.csv": """line_number,reason
4,type
""",
}
OVER_DAYS = {
    "lake/contracts/${name}_7_days.py": '''"""What $words come to in 7 days."""

import pyarrow as pa

from lake.contract import Column, Contract, Input

CONTRACT = Contract(
    name="${name}_7_days",
    version=1,
    grain="one thing that has a name",
    key=("name",),
    inputs=(Input("$name", days=7),),
    columns=(
        Column("name", pa.string(), "name", "Which thing"),
        Column("things", pa.int64(), "things", "How many of them there were in the 7 days", minimum=0),
    ),
)
''',
    "queries/${name}_7_days.sql": """-- The sums of the 7 days that end with one.
select
    name,
    cast(sum(things) as bigint) as things
from $name
group by name
order by name
""",
    "tasks/${name}_7_days.py": '''"""What $words come to in 7 days."""

from tasks.daily import DailyTask


class ${task}7DaysDaily(DailyTask):
    """The sums of the 7 days that end with one UTC day."""

    dataset = "${name}_7_days"
''',
    "tests/queries/golden/${name}_7_days/example/$name.csv": """dt,name,things
2026-09-11,apples,3
2026-09-17,apples,4
2026-09-17,pears,0
""",
    "tests/queries/golden/${name}_7_days/example/expected.csv": """name,things
apples,7
pears,0
""",
}
FILES = {"metric": METRIC, "source": SOURCE, "pipeline": SOURCE | OVER_DAYS}
NEXT = """Change them to what you mean. Then write the tables of the documentation anew, and run the tests:
  make glossary
  make test"""


def new(arguments: argparse.Namespace) -> int:
    """Write the files, print their names, and return 0.

    Raises:
        ConfigError: This is no clone, the name is none, or one of the files is there.
    """
    root = Path(lake.__file__).parent.parent
    if not all((root / each).exists() for each in CLONE):
        raise ConfigError(
            f"{root} is no clone of the repository. Metrics and sources are added in the source tree, where their "
            "tests are: run this in a clone, after `make run`."
        )
    _check(arguments.name)
    words = {"name": arguments.name, "words": arguments.name.replace("_", " "), "task": _camel(arguments.name)}
    files = {
        root / Template(path).substitute(words): Template(text).substitute(words)
        for path, text in FILES[arguments.kind].items()
    }
    if there := [path for path in files if path.exists()]:
        raise ConfigError(
            f"{there[0]} is there already. Choose another name, or change that file. Nothing was written."
        )
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        print(path.relative_to(root))
    print(NEXT)
    return 0


def _check(name: str) -> None:
    """Make sure that a name can be one of a dataset, and is none yet."""
    if not NAME.fullmatch(name) or len(name) > LONGEST or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r}: expected a name of up to {LONGEST} letters, digits and _, such as page_views."
        )
    taken = {*DATASETS, *(each.name for each in (*sql.macros(), *sql.questions())), "sources"}
    if name in taken:
        raise ConfigError(f"{name} is the name of a dataset or a question already.{hint(name, taken - {name})}")


def _camel(name: str) -> str:
    return "".join(map(str.capitalize, name.split("_")))
