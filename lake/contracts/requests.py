"""One row a request: what the raw logs said, without anything personal."""

import pyarrow as pa

from lake.contract import Column, Contract

VANTAGES = ("edge", "load_balancer", "origin", "application")
TRAFFIC_CLASSES = ("user", "health_check", "synthetic")
# https://www.iana.org/assignments/http-methods, read 2026-11
METHODS = (
    *("ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD"),
    *("LABEL", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE"),
    *("MOVE", "OPTIONS", "ORDERPATCH", "PATCH", "POST", "PRI", "PROPFIND", "PROPPATCH", "PUT", "QUERY"),
    *("REBIND", "REPORT", "SEARCH", "TRACE", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE"),
    *("UPDATEREDIRECTREF", "VERSION-CONTROL"),
)
APPLICATION_NAME = r"[a-z0-9][a-z0-9._-]{0,252}"
APPLICATION = Column(
    "application",
    pa.string(),
    "name",
    "What was asked: a constant of the source, a field of the line, or by a map; '(invalid)' if the field is no "
    "host name, '(unmapped)' if the map has no rule",
    pattern=rf"{APPLICATION_NAME}|\(invalid\)|\(unmapped\)",
)
VANTAGE = Column(
    "vantage",
    pa.string(),
    "name",
    "Where the request was seen; the same request is seen at several, so never sum across them",
    values=VANTAGES,
)
STATUS_CLASS = Column(
    "status_class", pa.string(), "name", "First digit of status; none for 0", pattern="[1-5]xx|none"
)

CONTRACT = Contract(
    name="requests",
    version=1,
    grain="one request, in the order of the raw files",
    per_source=True,
    time="ts",
    columns=(
        Column("ts", pa.timestamp("us"), "UTC", "When the request was logged"),
        APPLICATION,
        VANTAGE,
        Column(
            "method",
            pa.string(),
            "name",
            "HTTP method; NULL if not a registered one",
            nullable=True,
            values=METHODS,
        ),
        Column(
            "path",
            pa.string(),
            "URL path",
            "Path without query, masked, other than printable ASCII percent-encoded, cut at 1,000 "
            "characters; NULL if the request names none",
            nullable=True,
            pattern=r"[!-~]+",
        ),
        Column(
            "status",
            pa.int16(),
            "HTTP status",
            "Final status at this vantage; 0 if the client left before there was one",
            minimum=0,
            maximum=599,
        ),
        Column(
            "response_bytes",
            pa.int64(),
            "bytes",
            "Size of the response as the format counts it (with or without headers); '-' is 0",
            nullable=True,
            minimum=0,
        ),
        Column(
            "duration_seconds",
            pa.float64(),
            "seconds",
            "Time taken to answer; NULL if the format lacks it",
            nullable=True,
            minimum=0,
        ),
        Column(
            "upstream_status",
            pa.int16(),
            "HTTP status",
            "Status of the last upstream asked; NULL if the format lacks it or none was asked",
            nullable=True,
            minimum=0,
            maximum=599,
        ),
        Column(
            "retried",
            pa.bool_(),
            "true or false",
            "Whether more than one upstream was asked; NULL if the format lacks it",
            nullable=True,
        ),
        Column(
            "traffic_class",
            pa.string(),
            "name",
            "Whose request it is, by the source's health_check_paths and synthetic_user_agents",
            values=TRAFFIC_CLASSES,
        ),
    ),
)
