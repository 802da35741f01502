"""The datasets' names, for who has no need of their contracts: these import pyarrow."""

from pathlib import Path

DATASETS = tuple(sorted(module.stem for module in Path(__file__).with_name("contracts").glob("[a-z]*.py")))
"""In alphabetical order: a module of the folder `contracts` each."""
