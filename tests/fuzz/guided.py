"""Fuzzes a part of the program, guided by the branches that it takes, until something that must hold does not.

    python tests/fuzz/guided.py TARGET --seconds 600 [--corpus FOLDER] [-libfuzzer_flag=value ...]

A target is a module beside this one: its `check` says of any bytes what must hold. The first finding ends the run
with an exit code of 77, after a traceback; its bytes are kept in the corpus's folder.
"""

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
PACKAGES = ["etl", "lake", "backfill", "reference", "configparser"]
# numba would compile what counts its branches
KERNEL = ["etl.kernel", *(f"etl.kernel.{path.stem}" for path in HERE.parents[1].glob("etl/kernel/*.py"))]
TARGETS = ("raw_lines", "raw_file", "configuration", "keys")
MEMORY_MB = 3000
SLOW_SECONDS = 20


def main() -> None:
    """Fuzz as the command line says."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("target", choices=TARGETS)
    options.add_argument("--seconds", type=int, default=600)
    options.add_argument("--corpus", type=Path, help="where what takes new branches is kept, for a later run")
    chosen, flags = options.parse_known_args()
    corpus = chosen.corpus or Path(tempfile.mkdtemp(prefix=f"fuzz-{chosen.target}-"))

    import atheris  # the tests of the targets do without

    sys.path.append(str(HERE.with_name("etl") / "lines"))
    with atheris.instrument_imports(include=PACKAGES, exclude=KERNEL):
        target = import_module(chosen.target)
    inputs = corpus / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    seeds = list(target.seeds(Random(1)))  # noqa: S311 - no secret
    for number, seed in enumerate(seeds):
        inputs.joinpath(f"seed-{number}").write_bytes(seed)
    target.check(seeds[0])  # the first time ever, the kernel is compiled
    words = corpus / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS), encoding="ascii")
    arguments = {
        "max_total_time": chosen.seconds,
        "max_len": target.LONGEST,
        "dict": words,
        "artifact_prefix": f"{corpus}/",
        "rss_limit_mb": MEMORY_MB,
        "timeout": SLOW_SECONDS,
    }
    given = [*(f"-{name}={value}" for name, value in arguments.items()), *flags, str(inputs)]
    atheris.Setup([sys.argv[0], *given], target.check)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    """Return a word as libFuzzer's dictionaries have it."""
    return "".join(chr(c) if chr(c).isalnum() and c < 128 else f"\\x{c:02X}" for c in word)


if __name__ == "__main__":
    main()
