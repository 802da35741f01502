"""Units built by Spark's executors: `backfill run --engine spark`.

Spark decides what runs where, and begins anew what is lost with an executor. Which unit may begin, and when none
do is said here, as by the local engine.
"""
