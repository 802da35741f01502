"""The write-once lake: contracts, publishing, listing, reading, provenance and the DuckDB catalog.

It knows nothing of logs and nothing of Luigi.
"""
