"""The datasets of the lake: a module a dataset, each with one `CONTRACT`.

The folder is the list: a module added here is known to the catalog, the glossary and the checks.
"""

from importlib import import_module
from pkgutil import iter_modules

from lake.contract import Contract
from lake.errors import ConfigError

CONTRACTS: dict[str, Contract] = {
    module.name: import_module(f"{__name__}.{module.name}").CONTRACT for module in iter_modules(__path__)
}


def contract(name: str) -> Contract:
    """Return the contract of a dataset.

    Raises:
        ConfigError: There is no such dataset.
    """
    if name not in CONTRACTS:
        raise ConfigError(f"No dataset {name!r}. There are: {', '.join(CONTRACTS)}.")
    return CONTRACTS[name]
