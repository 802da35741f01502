"""Looks at raw logs and at what was made of them; nothing is published."""
