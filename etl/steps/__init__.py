"""The steps that publish: extraction from raw logs, and aggregation by SQL."""
