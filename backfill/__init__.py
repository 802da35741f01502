"""Ranges, status and the command line.

`python -m luigi --module backfill` gets the tasks and the honest ranges by this import. Where Luigi isn't imported
yet, as in a command that only prints its help, it waits until something imports backfill.registration.
"""

import sys

if "luigi" in sys.modules:
    from backfill import registration  # noqa: F401 - registers the tasks and ranges with Luigi
