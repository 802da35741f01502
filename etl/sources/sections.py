"""The sections of sources in luigi.cfg: `[source.NAME]`, read and checked."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from etl.lines.applications import Applications
from etl.lines.envelopes import Wrapping, envelope
from etl.lines.formats import (
    FORMATS,
    MAY_FOLLOW,
    SHAPES,
    UNITS,
    UNNAMED,
    Alternatives,
    Delimited,
    Field,
    Format,
    Headed,
    Kind,
    Role,
    shaped,
    with_field,
)
from etl.lines.noise import Noise
from etl.lines.parse import AUTHORITY, Classifier
from etl.raw.files import FilePattern
from etl.sources.applications import read_applications
from etl.sources.completeness import SECTION as COMPLETENESS
from etl.sources.completeness import Severity, parse_hours, severities
from etl.sources.limits import limits
from etl.sources.shards import MOST, UNSHARDED, Shard, parse_shards
from etl.sources.source import (
    DEFAULT_MAX_APPLICATIONS,
    DEFAULT_MAX_NOISE_RATE,
    DEFAULT_MAX_REJECT_RATE,
    DEFAULT_SETTLE_HOURS,
    FARTHEST,
    FIELD,
    MAP,
    REQUESTS,
    SECTION,
    THE_DAY,
    Source,
)
from lake.config import Config, check_keys, whole_number
from lake.contracts import CONTRACTS
from lake.contracts.requests import APPLICATION, VANTAGES
from lake.errors import ConfigError
from lake.partition import check_name, parse_day

if TYPE_CHECKING:
    from etl.fetch.asked import Asked
    from etl.fetch.found import SnapshotFiles

KEEP, LINES = "keep", "lines"  # of `duplicates`
SHARDS = "shards"
REQUIRED = ("format", "files", "application", "vantage")
LOG_FORMAT = "log_format"
TRAILING = " trailing"
"""What marks the format in a list of them that `trailing` belongs to."""
FORMAT_KEYS = {
    LOG_FORMAT: (LOG_FORMAT,),
    "trailing": tuple(SHAPES),
    "fields": ("json", "logfmt", "ltsv"),
    "duration_unit": (LOG_FORMAT, *FORMATS),
    "timezone": (LOG_FORMAT, *(name for name, each in FORMATS.items() if not isinstance(each, Headed))),
}
"""Keys about how lines are written, and the formats that they are for; what has a header is in UTC."""
OPTIONAL = (
    *FORMAT_KEYS,
    MAP,
    "envelope",
    "noise",
    "max_noise_rate",
    "root",
    "formerly",
    "since",
    "until",
    "settle_hours",
    "covers",
    "neighbour_days",
    "year",
    "max_reject_rate",
    "max_applications",
    "expected_files",
    "expected_hours",
    "allow_empty",
    SHARDS,
    "duplicates",
    "sequence",
    "health_check_paths",
    "synthetic_user_agents",
)
DATASET = "dataset"
FETCH, SNAPSHOTS, OF_SNAPSHOTS = "fetch", "snapshots", ("root", "endpoint_url", "keep_days")
LONGEST_KEPT = 36_500  # days
OF_RECORDS = (
    *(DATASET, "format", "files", "fields", "timezone", "delimiter", "sheet", "where"),
    *("envelope", "root", "formerly", "since", "until", "settle_hours", "covers", "neighbour_days"),
    *("max_reject_rate", "expected_files", "allow_empty"),
)
"""The keys of a source that brings another dataset than requests."""
FIELD_KEYS = {
    **{str(role): (role, 0) for role in Role if role is not Role.IDENTITY},
    **{f"duration_{unit}": (Role.DURATION, scale) for unit, scale in UNITS.items() if scale},
}
"""What `fields` may give the key of: the role, and the scale of its values."""
COVERS = re.compile(r"(-?\d)(?: to (-?\d))?")
NO_REQUESTS = Classifier("", None, None, (), ())
"""Of records, which are of no application, and seen at no vantage."""
_DATASETS = tuple(name for name, each in CONTRACTS.items() if each.is_extracted)
T = TypeVar("T")
N = TypeVar("N", int, float)


def read_sources(config: Config) -> list[Source]:
    """Return the sources that luigi.cfg declares, by name.

    Raises:
        ConfigError: There is none, or one is wrong; the message names the section and the key.
    """
    sections = sorted(name for name in config.sections if name.startswith(SECTION))
    if not sections:
        raise ConfigError(
            f"{config.path} declares no source. Add a section [{SECTION}NAME]; the README shows one."
        )
    endpoint_url = config.lake().endpoint_url
    of_all, how_bad = limits(config), severities(config)
    sources = []
    for section in sections:
        values = config.section(section)
        with config.named(section):
            name = check_name("source", section.removeprefix(SECTION))
            source = _source(name, config, values, endpoint_url)
            sources.append(replace(source, limits=of_all, severities=how_bad))
    _check_formerly(sources)
    if "missing_source" not in config.sections.get(COMPLETENESS, {}):
        sources = [
            replace(each, severities=replace(how_bad, missing_source=Severity.WARN))
            if _alone_has_its_application(each, sources)
            else each
            for each in sources
        ]
    return [part for each in sources for part in _shards(each, config)]


def _shards(source: Source, config: Config) -> Iterable[Source]:
    """Return a source as it is, or its shards.

    Raises:
        ConfigError: It can't be read in shards.
    """
    section = f"{SECTION}{source.name}"
    values = config.section(section)
    if SHARDS not in values:
        return [source]
    with config.named(section):
        expected = f'1 to {MOST:,}, or with later changes like "16, 64 from 2026-05-01"'
        shards = _read(values, SHARDS, parse_shards, expected, default=UNSHARDED)
        _check_shards(source)
    return [*_expanded(source, shards)]


def _expanded(source: Source, shards: Sequence[tuple[date | None, int]]) -> Iterator[Source]:
    """Yield what a source is on its days: itself where it has one shard, else each of its shards.

    Raises:
        ConfigError: It can't be read in shards.
    """
    for (since, of), (stop, _) in pairwise([*shards, (None, 0)]):
        begin = max(filter(None, (source.since, since)), default=None)
        end = min(filter(None, (source.until, stop)), default=None)
        if begin and end and begin >= end:
            continue
        of_days = replace(source, since=begin, until=end)
        yield from (_shard(of_days, Shard(number, of)) for number in range(of)) if of > 1 else (of_days,)


def _shard(source: Source, shard: Shard) -> Source:
    formerly = tuple(f"{name}.{shard}" for name in source.formerly)
    return replace(source, name=f"{source.name}.{shard}", formerly=formerly, shard=shard)


def _check_shards(source: Source) -> None:
    """Make sure that a source can be read in shards.

    Raises:
        ConfigError: It can't, for what it asks of all files of a day.
    """
    because = {
        "its files are snapshots, of which a day has one": source.asked,
        "it brings records, whose keys are told apart by looking at all of a day": source.records,
        "its files are undated: they change their names, and so their shard": not source.files.is_dated,
        "duplicates are found by looking at all of a day": source.leaves_out_doubled,
        "sequence is judged by looking at all of a day": source.sequence,
    }
    if why := next((text for text, does in because.items() if does), None):
        raise ConfigError(f"shards: {why}. Take one of the two out.")


def _alone_has_its_application(source: Source, sources: Iterable[Source]) -> bool:
    """Tell whether the rates of all other applications are the same with a source's raw logs and without.

    Nobody knows that where lines name the applications, be they its own or those of another at its vantage.
    """
    of, others = source.classifier, (each.classifier for each in sources if each is not source)
    return of.application is not None and all(
        each.vantage != of.vantage or each.application not in {None, of.application} for each in others
    )


def _check_formerly(sources: Sequence[Source]) -> None:
    """Make sure that each name is one source's.

    Raises:
        ConfigError: Two sources claim one.
    """
    claimed = {each.name: each for each in sources}
    for each in sources:
        for name in each.formerly:
            if name in claimed:
                raise ConfigError(
                    f"[{SECTION}{each.name}] formerly = {', '.join(each.formerly)}: {name} is "
                    f"{'declared, too' if claimed[name].name == name else f'what {claimed[name].name} was, too'}. "
                    "A name is one source's; take it out of one of the two."
                )
            claimed[name] = each


def _source(name: str, config: Config, values: Mapping[str, str], endpoint_url: str | None) -> Source:
    dataset = values.get(DATASET, REQUESTS)
    if dataset not in _DATASETS:
        raise ConfigError(f"dataset = {dataset}: expected one that raw files bring: {', '.join(_DATASETS)}.")
    is_log = dataset == REQUESTS
    asked, of_fetching = _asked(config.folder, values)
    required = tuple(
        key for key in (REQUIRED if is_log else ("format", "files")) if not (asked and key == "files")
    )
    check_keys(values, (*((*REQUIRED, *OPTIONAL) if is_log else OF_RECORDS), *of_fetching))
    missing = [key for key in required if not values.get(key) and not (key == "application" and values.get(MAP))]
    if missing:
        raise ConfigError(f"{missing[0]} is missing. Required: {', '.join(required)}.")
    if "covers" in values and "neighbour_days" in values:
        raise ConfigError("covers and neighbour_days say the same thing. Take neighbour_days out.")
    if asked:
        files: FilePattern | SnapshotFiles = _snapshot_files(name, config)
    else:
        files = FilePattern(values["files"], config.folder, endpoint_url, values.get("root", ""))
    read = partial(_read, values)
    reach = read("neighbour_days", _within(int, 0, FARTHEST), f"0 to {FARTHEST}", 0)
    source = _of_log(name, files, config.folder, values) if is_log else _of_records(name, files, dataset, values)
    source = replace(
        source,
        since=read("since", parse_day, "a day as YYYY-MM-DD, 1970 to 2999", None),
        until=read("until", parse_day, "a day as YYYY-MM-DD, 1970 to 2999", None),
        settle_hours=read("settle_hours", _within(float, 0, 24 * 366), "hours, 0 or more", DEFAULT_SETTLE_HOURS),
        covers=read("covers", _covers, 'days from a file\'s own, within a week, like "-1 to 0"', (-reach, reach)),
        max_reject_rate=read("max_reject_rate", _within(float, 0, 1), "a share, 0 to 1", DEFAULT_MAX_REJECT_RATE),
        expected_files=read("expected_files", _within(int, 1, 10**6), "a number, 1 or more", None),
        allow_empty=read("allow_empty", lambda v: {"true": True, "false": False}[v], "true or false", False),  # noqa: FBT003 - the default
        formerly=tuple(dict.fromkeys(_listed(values.get("formerly", "")))),
        asked=asked,
    )
    for former in source.formerly:
        check_name("formerly:", former)
    _check_days(source)
    return source


def _asked(folder: Path, values: Mapping[str, str]) -> "tuple[Asked | None, tuple[str, ...]]":
    """Return what a section asks of another system, None for nothing, and the keys that say so.

    Raises:
        ConfigError: There is no such system, or a key is wrong.
    """
    if FETCH not in values:
        return None, ()
    from etl.fetch import opening  # noqa: PLC0415 - most fetch nothing

    for key in ("files", "root"):
        if key in values:
            raise ConfigError(f"{key} is for raw files that are put somewhere. Take it out, or {FETCH}.")
    return opening.read_asked(values, folder), (FETCH, *opening.keys(values[FETCH]))


def _snapshot_files(name: str, config: Config) -> "SnapshotFiles":
    """Return the files of a source that is fetched.

    Raises:
        ConfigError: luigi.cfg doesn't say where they are kept, or they would be kept in the lake.
    """
    from etl.fetch.found import SnapshotFiles  # noqa: PLC0415 - most fetch nothing
    from etl.fetch.snapshots import check_beside  # noqa: PLC0415

    if SNAPSHOTS not in config.sections:
        raise ConfigError(
            f"{FETCH}: say where what is fetched is kept, beside the lake: a section [{SNAPSHOTS}] with root = a "
            "folder or s3://bucket/prefix."
        )
    values = config.section(SNAPSHOTS)
    with config.named(SNAPSHOTS):
        check_keys(values, OF_SNAPSHOTS)
        if not values.get("root"):
            raise ConfigError(f"no root. Known keys: {', '.join(OF_SNAPSHOTS)}.")
    root, lake = values["root"], config.lake()
    if "://" not in root:
        root = os.path.normpath(config.folder / os.path.expanduser(root))  # noqa: PTH111 - as in lake.config
    with config.named(SNAPSHOTS):
        check_beside(root, lake.root)
        keep = values.get("keep_days")
        keep_days = whole_number("keep_days", keep, 1, LONGEST_KEPT) if keep else None
    return SnapshotFiles(name, root, values.get("endpoint_url", lake.endpoint_url), keep_days)


def _of_log(name: str, files: "FilePattern | SnapshotFiles", folder: Path, values: Mapping[str, str]) -> Source:
    """Return a source of requests, by what is said of its lines alone."""
    read = partial(_read, values)
    timezone = read("timezone", lambda v: ZoneInfo(v).key, "an IANA time zone, like Europe/Berlin", None)
    found_format = replace(_with_host(_format(values), values.get("application", "")), timezone=timezone)
    wrapping = _wrapping(found_format, values)
    found_format = wrapping.timed or found_format
    return Source(
        name=name,
        format=found_format,
        files=files,
        classifier=_classifier(found_format, folder, values),
        wrapping=wrapping,
        noise=Noise.of(values["noise"], found_format) if "noise" in values else None,
        max_noise_rate=read("max_noise_rate", _within(float, 0, 1), "a share, 0 to 1", DEFAULT_MAX_NOISE_RATE),
        max_applications=read(
            "max_applications", _within(int, 1, 10**6), "a number, 1 to 1,000,000", DEFAULT_MAX_APPLICATIONS
        ),
        year=read("year", _year, "a year, or the first day of the twelve months meant as YYYY-MM-DD", None),
        expected_hours=read("expected_hours", parse_hours, "hours of a UTC day, like 6-21 or 0-3, 22-23", None),
        counts_lines_once=values.get("duplicates") == LINES,
        request_id=read("duplicates", lambda v: _request_id(v, found_format), "keep, lines or field:NAME", None),
        sequence=read(
            "sequence", lambda v: _sequence(v, found_format), "two fields: of the host, of its number", None
        ),
        declared=tuple((key, _as_declared(key, values[key])) for key in FORMAT_KEYS if key in values),
    )


def _of_records(
    name: str, files: "FilePattern | SnapshotFiles", dataset: str, values: Mapping[str, str]
) -> Source:
    """Return a source of records of a dataset, by what is said of them alone.

    Raises:
        ConfigError: The day of a record can't be told.
    """
    from etl.records.records import TABLES, Records  # noqa: PLC0415 - most have none

    records = Records.of(CONTRACTS[dataset], values)
    if not (files.is_dated or records.contract.time or records.day_field):
        raise ConfigError(
            f"files = {files.text} has no {{YYYY}}{{MM}}{{DD}}, and a record of {dataset} has no time. Say which "
            "field has its day: fields = dt = NAME. Or, of a file that is replaced each night, have each kept: "
            f"take files out, and set fetch = file and path = {files.text}; docs/how-to/fetch.md says how."
        )
    if records.shape in TABLES and "envelope" in values:
        raise ConfigError(f"envelope: not for format {records.shape}. Take the key out: its records are no lines.")
    plain, files = Format(records.shape, ()), replace(files, table=records.table)
    wrapping = Wrapping(tuple(map(envelope, _listed(values.get("envelope", "")))))
    # what is left out of records was asked for
    return Source(name, plain, files, NO_REQUESTS, wrapping=wrapping, max_noise_rate=1, records=records)


def _read(values: Mapping[str, str], key: str, convert: Callable[[str], T], expected: str, default: T) -> T:
    """Return a value that may be left out.

    Raises:
        ConfigError: It is not what is expected.
    """
    if key not in values:
        return default
    try:
        return convert(values[key])
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{key} = {values[key]}: expected {expected}.") from error


def _check_days(source: Source) -> None:
    """Make sure that what is said of days goes together.

    Raises:
        ConfigError: It does not.
    """
    if source.since and source.until and source.since >= source.until:
        raise ConfigError(f"since = {source.since} is not before until = {source.until} (exclusive).")
    if source.files.is_dated and source.year:
        raise ConfigError("year is for files without a date in their names. Take it out: the names tell the year.")
    if not source.files.is_dated and source.leaves_out_doubled:
        raise ConfigError("duplicates is for dated files; files has no {YYYY}{MM}{DD}.")
    if not source.files.is_dated and source.sequence:
        raise ConfigError("sequence is for dated files; files has no {YYYY}{MM}{DD}.")
    if not source.files.is_dated and (source.covers != THE_DAY or (source.expected_files or 1) > 1):
        raise ConfigError(
            "covers, neighbour_days and expected_files are for dated files; files has no {YYYY}{MM}{DD}."
        )


def _as_declared(key: str, text: str) -> str:
    """Return what a section says of lines, to be told from others: in a shape, two spaces are a run of spaces."""
    return text if key in {LOG_FORMAT, "trailing"} else " ".join(text.split())


def _format(values: Mapping[str, str]) -> Format:
    """Return the format that a source declares, or those that its lines may have."""
    names = _listed(values["format"])
    found = _one_format(names[0], values) if len(names) == 1 else _several_formats(names, values)
    if "duration_unit" not in values:
        return found
    unit = values["duration_unit"]
    if unit not in UNITS:
        raise ConfigError(f"duration_unit = {unit}: expected one of {', '.join(UNITS)}.")
    return _in_unit(found, UNITS[unit])


def _several_formats(names: Sequence[str], values: Mapping[str, str]) -> Format:
    """Return the formats of an ordered list; of each key but `trailing`, those that it is for are told by it.

    Raises:
        ConfigError: One can't stand beside others, or `trailing` is given and not said of which of them.
    """
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"format = {', '.join(names)}: {twice} stands there twice. Take one out.")
    with_trailing = [name for name in names if name.endswith(TRAILING)]
    if ("trailing" in values) != bool(with_trailing):
        raise ConfigError(
            f"format = {', '.join(names)}: say of which of them trailing is, as in "
            "`format = combined trailing, combined`."
        )
    formats = []
    for name in names:
        base = name.removesuffix(TRAILING)
        taken = {key for key, known in FORMAT_KEYS.items() if base in known}
        if name == base:
            taken.discard("trailing")
        own = {key: value for key, value in values.items() if key not in FORMAT_KEYS or key in taken}
        formats.append(_one_format(base, own))
        if isinstance(formats[-1], Headed):
            raise ConfigError(f"format = {', '.join(names)}: {name} has a header, and stands beside no other.")
    for key, known in FORMAT_KEYS.items():
        if key in values and not any(name.removesuffix(TRAILING) in known for name in names):
            raise ConfigError(f"{key}: not for the formats {', '.join(names)}. Take the key out.")
    return Alternatives.of(formats, names)


def _in_unit(found: Format, scale: int) -> Format:
    """Return a format whose durations are in units of 10**-scale seconds.

    Raises:
        ConfigError: It has none, or those of `fields` have units already.
    """
    if not found.has(Role.DURATION):
        raise ConfigError(f"duration_unit: format {found.name} has no duration. Take the key out.")
    if isinstance(found, Alternatives):
        formats = [_in_unit(each, scale) if each.has(Role.DURATION) else each for each in found.formats]
        return Alternatives.of(formats, found.labels)
    fields = [replace(each, scale=scale) if each.role is Role.DURATION else each for each in found.fields]
    return replace(found, fields=tuple(fields))


def _one_format(name: str, values: Mapping[str, str]) -> Format:
    """Return one of FORMATS, changed or given by the keys of FORMAT_KEYS."""
    if name not in (*FORMATS, LOG_FORMAT):
        raise ConfigError(f"unknown format {name!r}. Known formats: {', '.join((*FORMATS, LOG_FORMAT))}.")
    for key, names in FORMAT_KEYS.items():
        if key in values and name not in names:
            raise ConfigError(f"{key}: not for format {name}, only for {', '.join(names)}. Take the key out.")
    if name == LOG_FORMAT:
        found: Format = _shaped(name, LOG_FORMAT, values.get(LOG_FORMAT, ""))
    elif "trailing" in values:
        found = _trailed(name, values["trailing"])
    elif "fields" in values:
        kind = Kind.PLAIN if name == "ltsv" else Kind.WORD
        fields = tuple(replace(each, kind=kind) for each in _fields(values["fields"]))
        found = replace(FORMATS[name], fields=fields, first_duration=False)
    else:
        found = FORMATS[name]
    if "duration_unit" in values and "fields" in values and any(each.scale for each in found.fields):
        raise ConfigError("duration_unit and a unit in fields, such as duration_ms, say two things. Keep one.")
    return found


def _wrapping(found_format: Format, values: Mapping[str, str]) -> Wrapping:
    """Return what is around lines of a format, which may bring the time that these lack."""
    wrapping = Wrapping.of(_listed(values.get("envelope", "")), found_format)
    whole = wrapping.timed or found_format
    missing = [role for role in (Role.TIME, Role.STATUS) if not whole.has(role)]
    if missing:
        key = LOG_FORMAT if found_format.name == LOG_FORMAT else "fields"
        either = ", and neither has the envelope" if wrapping.envelopes and missing[0] is Role.TIME else ""
        raise ConfigError(
            f"{key} has no {missing[0]}{either}: without time and status of a request it can't be counted."
        )
    return wrapping


def _shaped(name: str, key: str, shape: str, before: str = "") -> Delimited:
    r"""Return the format of a shape, in which `\t` is a tab, as in the servers' own settings."""
    try:
        return shaped(name, before + shape.replace(r"\t", "\t"))
    except ConfigError as error:
        raise ConfigError(f"{key} = {shape}: {error}") from error


def _trailed(name: str, trailing: str) -> Delimited:
    """Return a format with further fields, which not every line needs to have if they end in `...`."""
    optional = trailing.endswith(MAY_FOLLOW)
    found = _shaped(name, "trailing", trailing.removesuffix(MAY_FOLLOW), SHAPES[name] + " ")
    return replace(found, sure=len(shaped(name, SHAPES[name]).fields)) if optional else found


def _fields(text: str) -> tuple[Field, ...]:
    """Return the fields of `role = key` pairs."""
    fields = []
    for pair in _listed(text):
        known, _, name = (part.strip() for part in pair.partition("="))
        if known not in FIELD_KEYS or not name:
            raise ConfigError(
                f"fields: {pair}: expected `role = key of the log`, with a role of {', '.join(FIELD_KEYS)}."
            )
        role, scale = FIELD_KEYS[known]
        fields.append(Field(name, role, scale=scale))
    return tuple(fields)


def _with_host(found_format: Format, application: str) -> Format:
    """Return a format that reads the field that tells the application, if it is one that nobody could name.

    Not any field: what is known to be a client's address or name belongs into no lake.
    """
    name = application.removeprefix(FIELD)
    if name.startswith(UNNAMED) and any(each.name == name for each in found_format.fields):
        with suppress(ConfigError):
            return with_field(found_format, name)
    return found_format


def _application(
    found_format: Format, folder: Path, values: Mapping[str, str]
) -> tuple[str | None, str | None, Applications | None]:
    """Return the application if it is a constant, the field that holds the host if one does, and the map."""
    application, field = values.get("application", ""), None
    if MAP in values and application and not application.startswith(FIELD):
        raise ConfigError(
            f"application = {application} and {MAP} = {values[MAP]} say two things. Take application out, or have "
            f"it name the field that holds the host: {FIELD}NAME."
        )
    if application.startswith(FIELD):
        field = application.removeprefix(FIELD)
        known = found_format.hosts
        if found_format.has(Role.REQUEST, Role.TARGET):
            known.append(AUTHORITY)
        if field not in known:
            names = ", ".join(f"{FIELD}{name}" for name in known)
            raise ConfigError(
                f"application = {application}: format {found_format.name} can't tell it. Use a name of your own"
                f"{f', or one of {names}' if names else ''}."
            )
    elif MAP not in values and not APPLICATION.allows(application):
        raise ConfigError(
            f"application = {application}: expected a name like {APPLICATION.pattern}, or field:NAME."
        )
    if MAP not in values:
        return None if field else application, field, None
    mapped = read_applications(folder / os.path.expanduser(values[MAP]))  # noqa: PTH111 - as in lake.config
    if mapped.ask_for_hosts and not field:
        raise ConfigError(
            f"{MAP} = {values[MAP]}: it has rules for hosts. Say which field holds the host: "
            f"application = {FIELD}NAME."
        )
    return None, field, mapped


def _classifier(found_format: Format, folder: Path, values: Mapping[str, str]) -> Classifier:
    if values["vantage"] not in VANTAGES:
        raise ConfigError(f"vantage = {values['vantage']}: expected one of {', '.join(VANTAGES)}.")
    paths = _listed(values.get("health_check_paths", ""))
    for path in paths:
        if not path.startswith("/"):
            raise ConfigError(f"health_check_paths: {path} matches no path, since they all begin with '/'.")
    agents = _listed(values.get("synthetic_user_agents", ""))
    if agents and not found_format.has(Role.USER_AGENT):
        raise ConfigError(f"synthetic_user_agents: format {found_format.name} has no user agent to tell by.")
    application, field, mapped = _application(found_format, folder, values)
    return Classifier(
        vantage=values["vantage"],
        application=application,
        application_field=field,
        mapped=mapped,
        health_check_paths=paths,
        synthetic_user_agents=agents,
    )


def _request_id(text: str, found_format: Format) -> str | None:
    """Return the field that `duplicates` names, None if it names none; KeyError if it is something else."""
    if not text.startswith(FIELD):
        return {KEEP: None, LINES: None}[text]
    name = text.removeprefix(FIELD)
    try:
        with_field(found_format, name, Role.IDENTITY)
    except ConfigError as error:
        raise ConfigError(f"duplicates = {error}") from error
    return name


def _sequence(text: str, found_format: Format) -> tuple[str, str]:
    """Return the two fields that `sequence` names; ValueError if they aren't two."""
    host, number = _listed(text)
    try:
        with_field(with_field(found_format, host), number, Role.IDENTITY)
    except ConfigError as error:
        raise ConfigError(f"sequence = {error}") from error
    return host, number


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", ",").split(",") if part.strip())


def _year(text: str) -> date:
    """Return the first day of the year that a text names, or the day that it is; ValueError if it is neither."""
    return parse_day(f"{text}-01-01" if len(text) == len("2026") else text)


def _covers(text: str) -> tuple[int, int]:
    """Return the first and the last day that a text like `-1 to 0` names; ValueError if it names none."""
    found = COVERS.fullmatch(" ".join(text.split()))
    if not found:
        raise ValueError(text)
    first, last = int(found[1]), int(found[2] or found[1])
    if not -FARTHEST <= first <= last <= FARTHEST:
        raise ValueError(text)
    return first, last


def _within(kind: Callable[[str], N], lowest: N, highest: N) -> Callable[[str], N]:
    def convert(text: str) -> N:
        number = kind(text)
        if not lowest <= number <= highest:
            raise ValueError(text)
        return number

    return convert
