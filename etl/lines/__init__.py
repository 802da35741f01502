"""Lines of raw logs: their formats, and how they become rows and rejects."""
