"""Rows in memory: Arrow arrays, and empty DuckDB databases to compute in."""
