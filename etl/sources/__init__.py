"""What luigi.cfg declares of the raw logs: a module a kind of section."""
