"""Records of any dataset: rows of CSV and lines of JSON, by a contract of the user's."""
