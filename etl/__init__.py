"""Extract, transform, validate: from raw log lines to published partitions.

It knows nothing of Luigi; every step is a function that can be called and tested alone.
"""
