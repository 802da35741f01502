"""Who builds units."""
