"""Deliveries: a dataset's days brought to another store, each exactly once per revision, with a receipt there.

`deliveries` reads what luigi.cfg declares, `bring` decides what is sent, and a module a kind of target sends it.
Of the lake only what is public is used: `lake.partitions` and `lake.identity`.
"""
