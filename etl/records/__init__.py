"""Records of any dataset: rows of CSV, of Parquet and of sheets, and lines of JSON, by a contract of the user's."""
