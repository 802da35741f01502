"""The datasets of the lake: a module a dataset, each with one `CONTRACT`.

The folder is the list: a module added here is known to the catalog, the glossary and the checks.
"""

from graphlib import TopologicalSorter
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


def in_build_order() -> list[Contract]:
    """Return all contracts, each after those of the datasets that it is made from."""
    needs = {name: {each.dataset for each in made.inputs} for name, made in CONTRACTS.items()}
    for name, made in CONTRACTS.items():
        if made.made_with:
            needs[made.made_with] |= {name}
    return [CONTRACTS[name] for name in TopologicalSorter(needs).static_order()]


def counted(made: Contract) -> str:
    """Return what a dataset's counts add up to, as text: the first input's counts, or its rows."""
    first = contract(made.inputs[0].dataset)
    return f"sum({first.counts}) of {first.name}" if first.counts else f"rows of {first.name}"
