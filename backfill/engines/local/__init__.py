"""The engine of one host or a few: Luigi."""
