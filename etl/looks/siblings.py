"""The files that lie beside a log: by what their names differ, and which of them are one stream of lines.

Nothing is read here but names. A date in a name is taken for one if it is a few days from those of the lines.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase

from etl.looks import pods
from etl.sources.source import FARTHEST

MISLEADING = re.compile(r"[*\[{}%~;#\s]")
COMPRESSED = r"(?:\.(?:gz|bz2|xz|zst|lz4|zip|Z))"
COMPRESSED_END = re.compile(f"{COMPRESSED}$")
_YEAR, _MONTH, _DAY = "(?P<YYYY>(?:19|20)[0-9]{2})", "(?P<MM>[01][0-9])", "(?P<DD>[0-3][0-9])"
_HOUR = "(?=(?:[0-9]{2})?(?![0-9]))"
FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?<=[yr]=){_YEAR}/m(?:onth)?={_MONTH}/d(?:ay)?={_DAY}(?![0-9])",
        rf"(?<![0-9]){_YEAR}(?P<sep>[-_./]?){_MONTH}(?P=sep){_DAY}{_HOUR}",
        rf"(?<![0-9]){_DAY}(?P<sep>[-_.]){_MONTH}(?P=sep){_YEAR}(?![0-9])",
        rf"(?<![0-9]){_MONTH}(?P<sep>[-_.]){_DAY}(?P=sep){_YEAR}(?![0-9])",
        rf"(?<![0-9])(?P<YY>[0-9]{{2}}){_MONTH}{_DAY}{_HOUR}",
        rf"(?<![0-9]){_YEAR}[-_/]?{_MONTH}/(?:[^/]*?[^/0-9])??{_DAY}(?![0-9])",
    )
)
"""How dates are written in names, the most certain first; the last is of day files in a folder of the month."""
MONTH_FOLDER = tuple(
    re.compile(form)
    for form in (
        rf"(?<![0-9]){_YEAR}[-_/]?{_MONTH}(?![0-9])",
        rf"(?<=[yr]=){_YEAR}/m(?:onth)?={_MONTH}(?![0-9])",
    )
)
YEAR_FOLDER = re.compile("(?<![^/=])(?P<YYYY>(?:19|20)[0-9]{2})(?=/)")
CENTURY = 2000
PLACEHOLDER = re.compile(r"\{(YYYY|YY|MM|DD|HH)\}")
DIGITS = {"YYYY": "[0-9]{4}", "YY": "[0-9]{2}", "MM": "[0-9]{2}", "DD": "[0-9]{2}", "HH": "[0-2][0-9]"}
ANY, NUMBER, NAMED = "{ANY}", "{NUM}", "{NAME}"
"""In a shape, what others may differ in: anything, a number, and the name of a month or of a day of the week."""
UUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
WORD = re.compile(r"(?:\{[A-Z]+\}|[A-Za-z0-9])+")
TOKEN = re.compile(r"\{[A-Z]+\}|[A-Za-z0-9]+|[^A-Za-z0-9{]+|\{")
RANDOM = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])(?![A-Za-z]+[0-9]{1,4}$)[A-Za-z0-9]{5,}")
MONTH = re.compile(
    r"(?<![A-Za-z])(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![A-Za-z])",
    re.IGNORECASE,
)
WEEKDAY = re.compile(
    r"(?<![A-Za-z])(?:mon|tue|wed|thu|fri|sat|sun)(?:day|sday|nesday|rsday|urday)?(?![A-Za-z])", re.IGNORECASE
)
DIFFER = {ANY: "[^/]+?", NUMBER: "[0-9]+", NAMED: f"(?i:{MONTH.pattern}|{WEEKDAY.pattern})"}
MONTH_OF_YEAR = re.compile(
    rf"(?<![0-9])(?P<YYYY>(?:19|20)[0-9]{{2}})(?:[-_.]?W?[0-9]{{2}}(?![0-9])|(?=[-_.]?{MONTH.pattern}))"
    rf"|(?<=[a-z][-_.])(?P<year>(?:19|20)[0-9]{{2}})(?![0-9])",
    re.IGNORECASE,
)
"""A year in the name of a file that holds a month or a week."""
SPELT = re.compile(
    rf"(?<![A-Za-z0-9])(?:[0-9]{{1,2}}[-_.]?{MONTH.pattern}[-_.]?(?:[0-9]{{4}}|[0-9]{{2}})"
    rf"|(?:[0-9]{{4}}[-_.]?)?{MONTH.pattern}[-_.]?[0-9]{{1,2}}(?:[-_.][0-9]{{4}})?)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
"""A date whose month is spelt, for which `files` has no placeholder."""
NUMBERED = re.compile(rf"(?P<base>.+)\.(?P<number>[0-9]{{1,3}})(?P<end>{COMPRESSED}?)")
REPRESENTATIVES = 20
COMPARED = 500  # names
FEWEST_BY_CHANCE = 4
HOURS_BORNE_OUT = 3


@dataclass(frozen=True)
class Family:
    """Files that are one log.

    Attributes:
        files: The pattern for them, as `files` of luigi.cfg has it.
        members: Their names, with the day that each name tells, in order.
        undated: The pattern that takes also the file that is still written to, or whose files hold many days.
        current: The name of that file, if it is there.
    """

    files: str
    members: tuple[tuple[str, date | None], ...]
    undated: str
    current: str | None = None


def is_random(word: str) -> bool:
    """Tell whether a part of a name looks as if nobody had chosen it."""
    return bool(RANDOM.fullmatch(word)) or (len(word) > 15 and bool(re.fullmatch("[0-9A-Fa-f]+", word)))  # noqa: PLR2004


def around(path: str) -> str:
    """Return a pattern for all names that may be of one log with this one: dates in folders may be others."""
    if of_pods := pods.around(path):
        return of_pods
    folder, slash, _ = _literal(path).rpartition("/")
    parts = [re.sub(r"[0-9]+", "*", each) if _is_of_a_date(each) else each for each in folder.split("/")]
    return "/".join(parts) + slash + "*"


def family(path: str, others: Collection[str], days: Collection[date], hour: int | None = None) -> Family:
    """Return what files are one log with a file.

    Args:
        path: Its name.
        others: The names of files around it, which `around` finds.
        days: Of which days lines of it are.
        hour: That of the first of them.
    """
    if of_pods := pods.files_of(path, others):
        names = sorted({path, *(each for each in others if fnmatchcase(each, of_pods))})
        return Family(of_pods, tuple((each, None) for each in names), of_pods)
    path = _literal(path)
    is_dated = next(_dates(path, days), None) is not None
    found_set = None if is_dated else _numbered(path, others) or _spelt(path, others)
    if found_set:
        return found_set
    dated = dict(_dated_by_base(others, days)).get(path)  # the file that is still written to
    shape = _shape_among(dated or path, others, days, hour)
    found = _matching(shape, others) or [path]
    if dated is None and path not in found:
        found.append(path)
    tried = {shape}
    for each in sorted(others)[:: max(1, len(others) // REPRESENTATIVES)]:  # one whose random part looks random
        like = _shape_among(each, others, days, hour)
        if like in tried or len(found) >= len(others):
            continue
        tried.add(like)
        alike = _matching(like, others)
        if len(alike) > len(found) and path in alike:
            shape, found = like, alike
    members = sorted((day_of(shape, name) or date.min, name) for name in found)
    pattern = _narrowed(shape, [name for _, name in members], hour)
    if not PLACEHOLDER.search(pattern):
        return Family(pattern, tuple((name, None) for _, name in members), pattern)
    current = path if dated else next((each for each in others if each == _base(pattern)), None)
    undated = re.sub(r"\*+", "*", re.sub(r"\{[^}]*\}(?:[-_.T:*]*\{[^}]*\})*", "*", pattern))
    if current:
        undated = _taking_also(current, undated)
    return Family(pattern, tuple((name, day or None) for day, name in members), undated, current)


def day_of(shape: str, name: str) -> date | None:
    """Return the day that a name of a shape tells."""
    found = _expression(shape).fullmatch(name)
    if not found:
        return None
    parts = {key: int(text) for key, text in found.groupdict().items() if key in DIGITS}
    with suppress(KeyError, ValueError):
        return date(parts.get("YYYY", CENTURY + parts.get("YY", 0)), parts["MM"], parts["DD"])
    return None


def _literal(path: str) -> str:
    """Return a name in which nothing is taken for a pattern."""
    return "".join(c if c.isprintable() else "?" for c in MISLEADING.sub("?", path))


def _is_of_a_date(part: str) -> bool:
    return bool(re.fullmatch(r"(?:[A-Za-z_]+=)?[0-9]{2,10}(?:[-_.][0-9]{2}){0,3}", part))


def _numbered(path: str, others: Collection[str]) -> Family | None:
    """Return the set of a log that is rotated by numbers, None if it is none."""
    named = NUMBERED.fullmatch(path)
    base = named["base"] if named else re.sub(f"{COMPRESSED}$", "", path)
    members = [each for each in others if (found := NUMBERED.fullmatch(each)) and found["base"] == base]
    if not members or (named and base not in others and len(members) == 1):
        return None
    current = base if base in others else None
    names = sorted({*members, *([current] if current else [])})
    return Family(f"{base}*", tuple((each, None) for each in names), f"{base}*", current)


def _spelt(path: str, others: Collection[str]) -> Family | None:
    """Return the files whose names have dates with a month that is spelt, None if there is none."""
    patterns = {
        each: re.sub(f"{COMPRESSED}$", "", SPELT.sub("*", each))
        for each in {path, *others}
        if SPELT.search(each.rpartition("/")[2])
    }
    bases = {each: _without_star(pattern) for each, pattern in patterns.items()}
    base = bases.get(path, path)
    members = sorted(each for each in bases if bases[each] == base)
    if not members:
        return None
    pattern = patterns[members[0]]
    pattern += "*" * any(COMPRESSED_END.search(each) is not None for each in members)
    current = base if base in others or base == path else None
    pattern = re.sub(r"\*+", "*", _taking_also(current, pattern) if current else pattern)
    return Family(
        pattern, tuple((each, None) for each in sorted({*members, *filter(None, [current])})), pattern, current
    )


def _taking_also(current: str, pattern: str) -> str:
    """Return a pattern for what another one is for and for the file that is still written to."""
    begin, end = current, ""
    while not pattern.startswith(begin):
        begin, end = begin[:-1], begin[-1] + end
    found = f"{begin}*{end}" + "*" * pattern.endswith("*") if end else f"{begin}*"
    return found.replace("**", "*")


def _without_star(pattern: str) -> str:
    begin, _, end = pattern.partition("*")
    return begin.rstrip("-_.") + end.replace("*", "")


def _dated_by_base(others: Collection[str], days: Collection[date]) -> Iterator[tuple[str, str]]:
    """Yield the name that each dated name has without its date, with that name."""
    for each in others:
        found = next(_dates(each, days, near=40), None)
        if found:
            yield _without(each, found), each


def _without(name: str, found: re.Match[str]) -> str:
    """Return a name without a date and the separator before it, and uncompressed."""
    begin = name[: found.start()].rstrip("-_.")
    return begin + re.sub(
        f"{COMPRESSED}$", "", re.sub(r"^[T0-9:-]*(?:\.[0-9]{1,3}(?=\.|$))?", "", name[found.end() :])
    )


def _base(pattern: str) -> str:
    """Return the name that a pattern would have without its date and what goes with that."""
    begin, _, end = PLACEHOLDER.sub("\0", pattern).partition("\0")
    end = re.sub(r"^[-_T:.0-9]*(?=\.|$)", "", end.rpartition("\0")[2].replace("*", ""))
    return begin.rstrip("-_.") + re.sub(f"{COMPRESSED}$", "", end)


def _dates(text: str, days: Collection[date], near: int = FARTHEST) -> Iterator[re.Match[str]]:
    """Yield the dates in a name that are near those of lines, the most certain form first."""
    for form in FORMS:
        for found in form.finditer(text):
            parts = {key: int(value) for key, value in found.groupdict().items() if key != "sep"}
            with suppress(ValueError):
                day = date(parts.get("YYYY", CENTURY + parts.get("YY", 0)), parts["MM"], parts["DD"])
                if any(abs(day - each) <= timedelta(days=near) for each in days):
                    yield found


def _shape_among(path: str, others: Collection[str], days: Collection[date], hour: int | None) -> str:
    """Return the shape of a name in which the files beside it bear out what is taken for an hour or for chance."""
    compared = sorted(others)[:: max(1, len(others) // COMPARED)]
    shape = _by_chance(_shape(path, days, hour), compared)
    if NAMED in shape and NUMBER not in shape and len(_matching(shape, compared)) < 2:  # noqa: PLR2004 - itself
        return path
    found = [each for each in map(_expression(shape).fullmatch, compared) if each]
    if DAYS_IN_MONTHS.search(shape):
        as_numbers = PLACEHOLDER.sub(NUMBER, shape)
        shape = as_numbers if len(_matching(as_numbers, compared)) > len(found) else shape
    if "{HH}" in shape:
        as_number = shape.replace("{HH}", NUMBER)
        few = len(found) >= HOURS_BORNE_OUT > len({each["HH"] for each in found})
        more = len(_matching(as_number, compared)) > len(found)
        shape = as_number if more or (few and not HOUR_AFTER_DATE.search(shape)) else shape
    return shape


def _by_chance(shape: str, others: Collection[str]) -> str:
    """Return a shape with `{ANY}` for each word of its name that hardly another name shares, most with digits."""
    folder, slash, name = shape.rpartition("/")
    if not PLACEHOLDER.search(shape):
        return shape
    names = [UUID.sub("0", each.rpartition("/")[2]) for each in others]
    between = WORD.sub("0", name)
    rows = [WORD.findall(each) for each in names if WORD.sub("0", each) == between]
    words = WORD.findall(name)
    for place, word in enumerate(words if len(rows) >= FEWEST_BY_CHANCE else ()):
        values = [row[place] for row in rows]
        letters = {re.sub("[0-9]+", "", each) for each in values}
        with_digits = sum(any(map(str.isdigit, each)) for each in values)
        is_of_many = len(letters) >= FEWEST_BY_CHANCE and 2 * min(len(set(values)), with_digits) > len(values)
        if "{" not in word and is_of_many:
            words[place] = ANY
    return folder + slash + "".join(x for pair in zip(WORD.split(name), [*words, ""], strict=True) for x in pair)


def _shape(path: str, days: Collection[date], hour: int | None) -> str:
    """Return a name with placeholders for the date, and `{HH}` for the hour after it."""
    name = path.rpartition("/")[2]
    span = max(map(abs, ((a - b).days for a in days for b in days)), default=0)
    found = next(_dates(name, days), None) or next(_dates(path, days), None)
    found = found or next(_dates(name, days, near=FARTHEST + span), None)
    if found is None:
        return _undated(path, days)
    told = {key: value for key, value in found.groupdict().items() if key != "sep"}
    before = len(path) - len(found.string)
    text = path[: before + found.start()] + _with(found, told) + path[before + found.end() :]
    folder, slash, name = text.rpartition("/")
    is_in_folder = not PLACEHOLDER.search(name)
    folder = _dated_folder(folder + slash, _day(told))
    if not is_in_folder:
        before_it, last, after = name.rpartition("}")
        clock = re.match(r"([-_.T]?)([0-2][0-9])(?![0-9])(?!(?:\.[0-9]{1,3}){3}(?![0-9]))", after)
        if clock and int(clock[2]) < 24 and (hour is None or int(clock[2]) == hour):  # noqa: PLR2004
            after = clock[1] + "{HH}" + after[clock.end() :]
        name = before_it + last + after
    begin, last, after = folder.rpartition("}")
    if is_in_folder and last:
        in_folder = _clock_folders(after, hour)
        if hour is not None and "{HH}" not in in_folder:
            hour_of = rf"(?<![0-9]){hour:02}(?![0-9])"
            in_folder, in_name = re.sub(hour_of, "{HH}", in_folder, count=1), name
            name = re.sub(hour_of, "{HH}", in_name, count=1) if "{HH}" not in in_folder else in_name
        folder = begin + last + in_folder
    elif last:
        folder = begin + last + _clock_folders(after, hour)
    return folder + UUID.sub(ANY, name)


def _clock_folders(text: str, hour: int | None) -> str:
    """Return the folders after that of a day with placeholders for the hour and what else counts there."""
    parts = text.split("/")
    for place, part in enumerate(parts):
        found = re.fullmatch("((?:[A-Za-z_]+=)?)([0-9]{1,2})", part)
        if found and place:
            is_hour = "{HH}" not in "".join(parts) and hour is not None and found[2] == f"{hour:02}"
            parts[place] = found[1] + ("{HH}" if is_hour else NUMBER)
    return "/".join(parts)


def _dated_folder(folder: str, day: date | None) -> str:
    """Return folders with placeholders for their dates of a day, its month and its year, however written.

    A date that is another one is a number that may be any.
    """
    for form in (*FORMS[:2], *MONTH_FOLDER, YEAR_FOLDER):
        for each in reversed(list(form.finditer(folder))):
            parts = {key: value for key, value in each.groupdict().items() if key != "sep"}
            other = _day({"MM": "01", "DD": "01"} | parts)
            if other is None or day is None:
                continue
            begin = day.replace(month=day.month if "MM" in parts else 1, day=day.day if "DD" in parts else 1)
            if other == begin:
                folder = folder[: each.start()] + _with(each, parts) + folder[each.end() :]
            elif abs(other - begin) <= timedelta(days=FARTHEST if "DD" in parts else 31):
                folder = folder[: each.start()] + re.sub("[0-9]+", NUMBER, each[0]) + folder[each.end() :]
    return folder


def _undated(path: str, days: Collection[date]) -> str:
    """Return a name without a date in which the month or the week that it is of may be another."""
    years = {each.year + n for each in days for n in (-1, 0, 1)}

    def numbers(found: re.Match[str]) -> str:
        year = next(filter(None, found.groupdict().values()))
        return re.sub("[0-9]+", NUMBER, found[0]) if int(year) in years else found[0]

    folder, slash, name = path.rpartition("/")
    folder += slash
    for form in (*MONTH_FOLDER, YEAR_FOLDER):
        folder = form.sub(numbers, folder)
    name = MONTH_OF_YEAR.sub(numbers, name)
    months = {each.month for each in days}
    if NUMBER in name:
        name = MONTH.sub(NAMED, name)
    elif months:
        name = WEEKDAY.sub(NAMED, name)
    return folder + UUID.sub(ANY, name)


def _day(parts: dict[str, str]) -> date | None:
    with suppress(KeyError, ValueError):
        return date(int(parts.get("YYYY", f"20{parts.get('YY', '00')}")), int(parts["MM"]), int(parts["DD"]))
    return None


def _with(found: re.Match[str], told: dict[str, str]) -> str:
    """Return a date's text with placeholders for its parts."""
    text, begin = "", found.start()
    for key in sorted(told, key=found.start):
        text += found.string[begin : found.start(key)] + f"{{{key}}}"
        begin = found.end(key)
    return text + found.string[begin : found.end()]


AFTER_DATE = re.compile(r"\}[-_.T]?$")
HOUR_AFTER_DATE = re.compile(r"\}[-_.T/]?(?:[A-Za-z_]+=)?\{HH\}")
DAYS_IN_MONTHS = re.compile(r"\{MM\}/[^/{]*\{DD\}[^/]*$")


def _tokens(shape: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a shape, and whether others of its family may differ in them."""
    for word in TOKEN.findall(shape):
        if word in DIFFER:
            yield word, True
        elif PLACEHOLDER.fullmatch(word) or not word.isalnum():
            yield word, False
        elif is_random(word):
            yield word, True
        else:
            yield from ((part, part.isdigit()) for part in re.findall("[0-9]+|[^0-9]+", word))


def _expression(shape: str) -> re.Pattern[str]:
    """Return a regular expression for the names of a family, with a group for each part that may differ."""
    stem = re.sub(f"{COMPRESSED}$", "", shape)
    folder, slash, name = stem.rpartition("/")
    begun: set[str] = set()
    parts = []
    for number, (word, varies) in enumerate((*_tokens_of_folder(folder + slash), *_tokens(name))):
        if PLACEHOLDER.fullmatch(word):
            key = word[1:-1]
            again = DIGITS[key] if key == "HH" else f"(?P={key})"
            parts.append(again if key in begun else f"(?P<{key}>{DIGITS[key]})")
            begun.add(key)
        elif varies:
            any_other = "[0-9]+" if word.isdigit() else "[A-Za-z0-9]+"
            parts.append(f"(?P<v{number}>{DIFFER.get(word, any_other)})")
        else:
            parts.append(re.escape(word).replace(r"\?", "."))
    number_of_day = r"(?:\.[0-9]{1,3})?" if PLACEHOLDER.search(shape) else ""
    return re.compile("".join(parts) + f"(?P<end>{number_of_day}{COMPRESSED}?)")


def _tokens_of_folder(folder: str) -> Iterator[tuple[str, bool]]:
    yield from ((part, part in DIFFER) for part in re.split(r"(\{[A-Z]+\})", folder) if part)


def _matching(shape: str, names: Collection[str]) -> list[str]:
    fits = _expression(shape).fullmatch
    return [each for each in names if fits(each) and (day_of(shape, each) or not PLACEHOLDER.search(shape))]


def _narrowed(shape: str, names: Sequence[str], hour: int | None) -> str:
    """Return the pattern for names of a shape: a star for what differs, after the date for all that may."""
    stem = re.sub(f"{COMPRESSED}$", "", shape)
    folder, slash, name = stem.rpartition("/")
    expression = _expression(shape)
    found = [each for each in map(expression.fullmatch, names) if each]
    values = {key: {each[key] for each in found} for key in expression.groupindex}
    is_dated = bool(PLACEHOLDER.search(stem))
    pattern, is_after = (
        "".join("*" if varies else word for word, varies in _tokens_of_folder(folder + slash)),
        not PLACEHOLDER.search(name),
    )
    is_after &= is_dated
    for number, (word, varies) in enumerate(_tokens(name), len([*_tokens_of_folder(folder + slash)])):
        differ = values.get(f"v{number}", {word})
        is_clock = is_after and hour is not None and "{HH}" not in pattern and AFTER_DATE.search(pattern)
        if word in DIFFER:
            pattern += "*"
        elif not varies or (len(differ) == 1 and not is_after and (is_dated or not is_random(word))):
            pattern += word
        elif len(found) > 1 and is_clock and all(re.fullmatch("[01][0-9]|2[0-3]", each) for each in differ):
            pattern += "{HH}"
        else:
            pattern += "*"
        is_after |= bool(PLACEHOLDER.fullmatch(word))
    ends = values.get("end", set())
    pattern += "*" if len(ends) > 1 else next(iter(ends), shape.removeprefix(stem))
    return re.sub(r"\*(?:[-_.:]?\*)+", "*", pattern)
