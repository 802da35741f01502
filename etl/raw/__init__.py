"""Raw files: finding, opening, decompressing and reading them ahead."""
