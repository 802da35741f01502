"""The lake as DuckDB sees it: views, macros, and what of them is kept on this machine."""
