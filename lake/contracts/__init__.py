"""The datasets of the lake: a module a dataset, each with one `CONTRACT`.

The folder is the list: a module added here is known to the catalog, the glossary and the checks.
"""

from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module

from lake.contract import RAW, Contract
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
    for made in CONTRACTS.values():
        for each in published_before(made):
            needs[made.name] |= {each.name}
    return [CONTRACTS[name] for name in TopologicalSorter(needs).static_order()]


def counted(made: Contract) -> str:
    """Return what a dataset's counts add up to, as text: the first input's counts, or its rows."""
    first = contract(made.inputs[0].dataset)
    return f"sum({first.counts}) of {first.name}" if first.counts else f"rows of {first.name}"


def published_before(made: Contract) -> list[Contract]:
    """Return the contracts of what is built in one go with a dataset, and published before it."""
    return [
        each
        for each in CONTRACTS.values()
        if each.made_with == made.name or (each.made_with == RAW and made.is_extracted)
    ]


@cache
def extracted_for(name: str) -> frozenset[str]:
    """Return the datasets of raw files that a dataset is made from, by however many steps; itself if it is one."""
    made = contract(name)
    if made.is_extracted:
        return frozenset({name})
    if made.made_with and made.made_with != RAW:
        return extracted_for(made.made_with)
    of_inputs = (each.dataset for each in made.inputs if contract(each.dataset).made_with != RAW)
    found = frozenset[str]().union(*map(extracted_for, of_inputs))
    return found or frozenset(each.name for each in CONTRACTS.values() if each.is_extracted)


def is_everybodys(made: Contract) -> bool:
    """Tell whether a dataset is made from logs of requests; others are shown where a lake has them."""
    return made.made_with == RAW or extracted_for(made.name) == {"requests"}
