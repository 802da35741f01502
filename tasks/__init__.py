"""Thin Luigi tasks: parameters, what they require, what they publish, and one call into `etl`.

The folder is the list: a module added here is known to the `luigi` command and to ranges.
"""

from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")
