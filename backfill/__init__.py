"""Ranges, status and the command line.

`python -m luigi --module backfill` gets the tasks and the honest ranges by this import. Where Luigi isn't imported
yet, as in a command that only prints its help, they wait for registration.register.
"""

import sys

if "luigi" in sys.modules:
    from backfill.engines.local.registration import register

    register()
