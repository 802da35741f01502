"""The lake's rows in Spark, without jars: `spark.read.format("lake").load("error_rate")`, once it is registered.

Spark asks on the driver's host which partitions there are: one listing of those days that its query is about. Each
latest revision is then a task, whose Python reads the file by Arrow, from disk or from S3.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from lake import config
from lake.contracts import contract
from lake.errors import ConfigError
from lake.lake import Lake, latest, open_store
from lake.memory.arrays import scalar
from lake.names import hint
from lake.partition import Partition, source_of
from lake.published import columns_of, rows_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

__all__ = ["register"]

NAME = "lake"
OPTIONS = ("path", "config", "root", "endpoint_url")
PUSHDOWN = "spark.sql.python.filterPushdown.enabled"
ONE_DAY = timedelta(days=1)
HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "EqualTo": lambda value, wanted: bool(value == wanted),
    "GreaterThan": lambda value, wanted: bool(value > wanted),
    "GreaterThanOrEqual": lambda value, wanted: bool(value >= wanted),
    "LessThan": lambda value, wanted: bool(value < wanted),
    "LessThanOrEqual": lambda value, wanted: bool(value <= wanted),
    "In": lambda value, wanted: value in wanted,
}
"""The filters of Spark that are decided by a partition's name, by their classes."""
FROM, TO = {"EqualTo", "GreaterThan", "GreaterThanOrEqual"}, {"EqualTo", "LessThan", "LessThanOrEqual"}


class Decided(NamedTuple):
    """A filter of Spark that the name of a partition decides.

    Attributes:
        kind: Its class.
        column: What it is about.
        value: What that is compared with.
    """

    kind: str
    column: str
    value: Any

    def holds(self, partition: Partition) -> bool:
        """Tell whether a partition's rows meet it."""
        place = {"dt": partition.dt, "source": source_of(partition.source or ""), "rev": partition.revision}
        return HOLDS[self.kind](place[self.column], self.value)


def register(session: "SparkSession") -> None:
    """Let a Spark session read lakes by `format("lake")`, and hand its conditions on `dt` and `source` on to them.

    Args:
        session: A session of Spark 4.1 or later. Its setting `spark.sql.python.filterPushdown.enabled` is set.
    """
    session.conf.set(PUSHDOWN, "true")
    session.dataSource.register(_data_source())


@cache
def _data_source() -> Any:  # noqa: ANN401 - Spark's
    """Return the class that Spark asks for: made here, since pyspark is of an extra."""
    from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition  # noqa: PLC0415

    class Rows(DataSourceReader):  # type: ignore[misc] # without pyspark its types are unknown
        """The rows of a dataset's latest revisions."""

        def __init__(self, root: str, endpoint_url: str | None, dataset: str) -> None:
            self._place, self._dataset = (root, endpoint_url), dataset
            self._decided: Sequence[Decided] = ()

        def pushFilters(self, filters: list[Any]) -> list[Any]:  # noqa: N802 - Spark's
            """Take the filters that names of partitions decide, and give back the others."""
            self._decided = [found for each in filters if (found := _decided(each, self._dataset))]
            return [each for each in filters if not _decided(each, self._dataset)]

        def partitions(self) -> Sequence[Any]:
            """Return the latest revisions of the days that are asked for."""
            found = _partitions(Lake(open_store(*self._place)), self._dataset, self._decided)
            return [InputPartition((each, size)) for each, size in found]

        def read(self, partition: Any) -> Iterator[pa.RecordBatch]:  # noqa: ANN401 - Spark's
            """Read a partition's file."""
            return _rows(Lake(open_store(*self._place)), self._dataset, partition.value)

    class LakeDataSource(DataSource):  # type: ignore[misc] # likewise
        """A dataset of a lake."""

        @classmethod
        def name(cls) -> str:
            """Return what `format` takes."""
            return NAME

        def schema(self) -> "StructType":
            """Return the contract's columns, with those of the path."""
            return _schema(_dataset(self.options))

        def reader(self, schema: "StructType") -> DataSourceReader:  # noqa: ARG002 - Spark's
            """Return what reads it."""
            return Rows(*_place(self.options), _dataset(self.options))

    return LakeDataSource


def _dataset(options: Any) -> str:  # noqa: ANN401 - Spark's, whose names are in any case
    """Return the name of the dataset.

    Raises:
        ConfigError: There is none such, or an option means nothing.
    """
    unknown = sorted(set(map(str.lower, options)) - set(OPTIONS))
    if unknown:
        raise ConfigError(
            f"Unknown option {unknown[0]!r}. Known ones: {', '.join(OPTIONS)}.{hint(unknown[0], OPTIONS)}"
        )
    name = options.get("path")
    if not name:
        raise ConfigError('Name a dataset: spark.read.format("lake").load("error_rate").')
    return contract(name).name


def _place(options: Any) -> tuple[str, str | None]:  # noqa: ANN401 - likewise
    """Return root and endpoint of the lake: as they are given, or as luigi.cfg has them.

    Raises:
        ConfigError: luigi.cfg is wrong, or the root is.
        StoreError: There is no lake.
    """
    from pathlib import Path  # noqa: PLC0415 - Spark carries this to where it is asked

    root, endpoint_url = options.get("root"), options.get("endpoint_url")
    if not root:
        path = options.get("config")
        found = config.read(Path(path).absolute() if path else config.find()).lake()
        root, endpoint_url = found.root, found.endpoint_url
    Lake(open_store(root, endpoint_url)).require()
    return root, endpoint_url


def _schema(dataset: str) -> "StructType":
    """Return a dataset's columns as Spark has them, with the glossary's comments; times are UTC, without zone."""
    from pyspark.sql.pandas.types import from_arrow_type  # noqa: PLC0415 - of an extra
    from pyspark.sql.types import StructField, StructType  # noqa: PLC0415

    return StructType(
        [
            StructField(
                each.name,
                from_arrow_type(each.type, prefer_timestamp_ntz=True),
                metadata={"comment": f"{each.meaning} [{each.unit}]"},
            )
            for each in columns_of(contract(dataset))
        ]
    )


def _decided(given: Any, dataset: str) -> Decided | None:  # noqa: ANN401 - Spark's
    """Return a filter if the name of a partition decides it."""
    kind = type(given).__name__
    column: tuple[str, ...] = getattr(given, "attribute", ())
    place = {"dt", "rev", *(["source"] if contract(dataset).per_source else [])}
    if kind not in HOLDS or len(column) != 1 or column[0] not in place:
        return None
    return Decided(kind, column[0], getattr(given, "value", None))


def _rows(lake: Lake, dataset: str, part: tuple[Partition, int] | None) -> Iterator[pa.RecordBatch]:
    """Yield a partition's rows; none where Spark asks for none, as it does where no day is left.

    Of a source's shards, `source` is the source.
    """
    if part:
        partition, size = part
        source = scalar(source_of(partition.source or ""), pa.string())
        for batch in rows_of(lake, partition, size, columns_of(contract(dataset))):
            columns = [
                pa.repeat(source, len(batch)) if name == "source" and partition.source else column
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, batch.schema.names)  # any may be NULL, as in Spark's


def _partitions(lake: Lake, dataset: str, decided: Sequence[Decided]) -> list[tuple[Partition, int]]:
    """Return the latest revisions that filters leave, with their sizes: one listing of those days."""
    days = [each for each in decided if each.column == "dt" and isinstance(each.value, date)]
    first = max((each.value for each in days if each.kind in FROM), default=None)
    last = min((each.value for each in days if each.kind in TO), default=None)
    objects = lake.objects(contract(dataset), first, last + ONE_DAY if last else None)
    return [(each, objects[each].bytes) for each in latest(objects) if all(one.holds(each) for one in decided)]
