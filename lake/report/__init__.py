"""The report: one page for people, made of the answers to the catalog's questions."""

INCIDENT_THRESHOLD = 0.05  # the share of requests of which more fail in each five minutes of an incident
