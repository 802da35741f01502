"""What the commands do that query the lake; what they understand is in `lake.cli`."""
