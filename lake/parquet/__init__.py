"""The Parquet file of a partition: written, and its footer read."""
