"""Engines: each builds the units that a plan has chosen, on a system that only it knows.

`local` uses Luigi's workers, on one host or, through a central scheduler, on several. Callers see an engine as
`engine.Engine`.
"""
