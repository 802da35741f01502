"""Records of any dataset: rows of CSV, Parquet or sheets, and lines of JSON, by a contract of the user's."""
