"""The commands that need Luigi: `backfill` and `luigi`.

They stand beside the package `backfill`, which imports Luigi, so that `--help` and `--version` don't wait for it.
"""
