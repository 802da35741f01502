"""The datasets' names, for who has no need of their contracts: these import pyarrow."""

from pathlib import Path
from pkgutil import iter_modules

DATASETS = tuple(module.name for module in iter_modules([str(Path(__file__).with_name("contracts"))]))
"""In alphabetical order: a module of the folder `contracts` each."""
