"""A connection to Spark for one run: what starts it, hands it units and ends it; what it says is kept aside."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from backfill.engines.spark.settings import Settings
from backfill.engines.spark.work import Builder, Came, Named, Order
from lake.errors import ConfigError

if TYPE_CHECKING:
    from pyspark import SparkContext

OURS: Mapping[str, str] = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # its Java only hands work out: to compile it well takes half of its start, and saves nothing later
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
LOOPBACK: Mapping[str, str] = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
TRIES = 4  # of a unit whose process died, which clusters have by themselves
LAST_SAID = 3  # lines
SECONDS_TO_END = 20.0
WORTH_SAYING = re.compile(r"ERROR|Exception|Error:|JAVA_HOME|[Nn]o such file|command not found")
STAMP = re.compile(r"^\d\d/\d\d/\d\d \d\d:\d\d:\d\d (ERROR|WARN|INFO) ")
ENDED = re.compile(
    r"SparkContext (was|has been) (shut down|stopped)|stopped SparkContext|while sending or receiving"
)
SUBMITTED = "PYSPARK_GATEWAY_PORT"  # set by spark-submit, which has said what the master is
UNASKED = "PySpark does not yet fully support pandas"  # of which nothing is asked here
JAVA = "Spark needs Java 17 or later, as `java` on the PATH or in JAVA_HOME."


class Lost(Exception):
    """A unit of which Spark has no answer: what ran it died, again and again."""


class Session:
    """Spark, at work for one run."""

    def __init__(self, context: "SparkContext", builder: Builder, log: IO[bytes]) -> None:
        self._context, self._builder, self._log = context, builder, log

    def build(self, named: Named) -> Came:
        """Have an executor build a unit, and wait for what came of it; threads may call this at the same time.

        Raises:
            Lost: Spark gave it up.
            ConfigError: Executors can't run it, or Spark has ended.
        """
        from py4j.protocol import Py4JError  # noqa: PLC0415 - with pyspark
        from pyspark.errors import PySparkException  # noqa: PLC0415

        try:
            (came,) = self._context.parallelize([named], 1).map(self._builder).collect()
        except (Py4JError, PySparkException, OSError) as error:
            said, text = _cause(error), _text(error)
            if "PythonException" in text or "PYTHON_VERSION_MISMATCH" in text:
                raise ConfigError(
                    f"Python on an executor can't do it: {said}. Each host of Spark's needs this version of "
                    "error-rate-lake; [spark] python says where its Python is."
                ) from error
            if not text or ENDED.search(text):
                raise ConfigError(f"Spark has ended: {last_said(self._log) or said}") from error
            raise Lost(said) from error
        return came

    def is_idle(self) -> bool:
        """Tell whether Spark has begun nothing of what it was given."""
        tracker = self._context.statusTracker()
        infos = (tracker.getJobInfo(each) for each in tracker.getActiveJobsIds())
        stages = (tracker.getStageInfo(stage) for info in infos if info for stage in info.stageIds)
        return not any(each.numActiveTasks or each.numCompletedTasks for each in stages if each)


@contextmanager
def started(settings: Settings, name: str, workers: int, order: Order) -> Iterator[Session]:
    """Start Spark, or connect to its master, and end that whatever happens; nothing of it is left running.

    Raises:
        ConfigError: pyspark or Java isn't installed, or the master doesn't answer.
    """
    master = settings.master or f"local[{workers},{TRIES}]"
    os.environ["PYSPARK_PYTHON"] = settings.python or sys.executable
    with tempfile.TemporaryFile() as log:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", UNASKED)
            context, gateway, builder = _context(master, name, settings, order, log)
        try:
            yield Session(context, builder, log)
        finally:
            with suppress(Exception):  # it may be gone
                context.stop()
            _end(gateway)


def _context(
    master: str, name: str, settings: Settings, order: Order, log: IO[bytes]
) -> tuple["SparkContext", Any, Builder]:
    """Return Spark's context, what leads to the process of its driver, and what executors are given."""
    try:
        from py4j.protocol import Py4JError  # noqa: PLC0415 - of an extra
        from pyspark import SparkConf, SparkContext  # noqa: PLC0415
        from pyspark.errors import PySparkException  # noqa: PLC0415
        from pyspark.java_gateway import launch_gateway  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "Spark's Python is not installed. Install it with: pip install 'error-rate-lake[spark]'"
        ) from error
    conf = SparkConf(loadDefaults=False).setAppName(name).setAll(list(settings.options.items()))
    if SUBMITTED not in os.environ:
        chosen = {**OURS, **(LOOPBACK if master.startswith("local") else {}), **settings.options}
        conf.setMaster(master).setAll(list(chosen.items()))
    try:
        gateway = launch_gateway(conf, {"stdout": log, "stderr": log})
    except (PySparkException, OSError) as error:
        raise ConfigError(f"Spark can't be started: {last_said(log) or error}. {JAVA}") from error
    listening = signal.getsignal(signal.SIGINT)
    try:
        context = SparkContext(conf=conf, gateway=gateway)
        signal.signal(signal.SIGINT, listening)  # which it has made its own
        builder = Builder(context.broadcast(order))  # of a master that doesn't answer, it learns late
    except (Py4JError, PySparkException, OSError) as error:
        _end(gateway)
        raise ConfigError(
            f"Spark at {master} can't be used: {last_said(log) or _cause(error)}. Check [spark] in luigi.cfg."
        ) from error
    except BaseException:
        _end(gateway)
        raise
    return context, gateway, builder


def _end(gateway: Any) -> None:  # noqa: ANN401 - of py4j
    """End the driver's Java, which ends with its standard input."""
    from pyspark import SparkContext  # noqa: PLC0415

    with suppress(Exception):
        gateway.shutdown()
    if process := gateway.proc:  # none where spark-submit has started it
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None  # noqa: SLF001 - so that one process can run it again


def last_said(log: IO[bytes]) -> str:
    """Return the last lines that say what was wrong, of what Spark has logged; empty if none does."""
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()
    said = (STAMP.sub("", line).strip() for line in lines if WORTH_SAYING.search(line))
    wrong = dict.fromkeys(line.rstrip(".") for line in said if not line.startswith("at "))  # the stack of a trace
    return "; ".join([*wrong][-LAST_SAID:])


def _cause(error: Exception) -> str:
    """Return what an error of Spark's is about, in a line."""
    java = getattr(error, "java_exception", None)
    text = _text(error)
    with suppress(Exception):  # its process is gone
        text = java.getMessage() if java is not None else text
    lines = [line.strip() for line in (text or repr(error)).splitlines() if line.strip()]
    python = [line for line in lines if re.match(r"\w*(Error|Exception)\b", line)]
    return (python[-1] if python else lines[0])[:400]


def _text(error: Exception) -> str:
    """Return an error's text, which Spark's process has to be asked for; empty if that is gone."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - it may be anything
        return ""
