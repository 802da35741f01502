"""The datasets of the lake: a module a dataset, each with one `CONTRACT`.

The folder is the list: a module added here is known to the catalog, the glossary and the checks.
"""

from importlib import import_module

from lake.contract import Contract
from lake.datasets import DATASETS
from lake.errors import ConfigError

CONTRACTS: dict[str, Contract] = {name: import_module(f"{__name__}.{name}").CONTRACT for name in DATASETS}


def contract(name: str) -> Contract:
    """Return the contract of a dataset.

    Raises:
        ConfigError: There is no such dataset.
    """
    if name not in CONTRACTS:
        raise ConfigError(f"No dataset {name!r}. There are: {', '.join(CONTRACTS)}.")
    return CONTRACTS[name]
