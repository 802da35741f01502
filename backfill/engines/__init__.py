"""Engines: who builds the units that a plan has chosen, where, and with how many processes.

`local` is Luigi's workers, on one host or through a central scheduler on some. What an engine is to its callers is
`engine.Engine`; whatever system it builds on, only it knows.
"""
