"""What other systems hold of a day, fetched once and kept as it came: snapshots, and who fetches them."""
