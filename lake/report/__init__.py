"""The report: one page for people, made of the answers to the catalog's questions."""
