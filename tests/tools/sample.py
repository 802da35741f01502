"""Sample logs to try the project on: `python tests/tools/sample.py FOLDER`.

Thirty days of three applications in three formats, the same bytes each time: an incident on one day, after one
of the deploys that are listed beside the logs, malformed lines, requests that are no HTTP, health checks and a
monitor, one log rotated off midnight, one undated. All addresses are from the blocks that RFC 5737 and RFC 3849
reserve for documentation.
"""

import gzip
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

FIRST_DAY = date(2026, 9, 1)
DAYS = 30
INCIDENT = (datetime(2026, 9, 17, 14, tzinfo=UTC), datetime(2026, 9, 17, 15, 30, tzinfo=UTC))
DEPLOYS = "deploys.csv"
RELEASES = {  # of the shop
    datetime(2026, 9, 3, 9, 12, tzinfo=UTC): 510,
    datetime(2026, 9, 10, 9, 40, tzinfo=UTC): 511,
    datetime(2026, 9, 17, 13, 57, tzinfo=UTC): 512,  # with which the incident begins
    datetime(2026, 9, 17, 15, 28, tzinfo=UTC): 513,
}
ROTATION = timedelta(hours=6, minutes=25)
HOURS_PER_FILE = 6
HOUR_WEIGHTS = [1 + max(0, 9 - abs(hour - 15)) for hour in range(24)]  # busiest at 15:00 UTC
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "curl/8.16.0",
)
MONITOR = "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"
TLS_HELLO = r"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
Line = tuple[datetime, str]


@dataclass(frozen=True)
class Request:
    """One request, before a format writes it down."""

    time: datetime
    client: str
    request: str
    status: int
    size: int
    agent: str


@dataclass(frozen=True)
class Application:
    """What is asked of one application, how often, and how its server writes that down.

    Attributes:
        daily: Requests a day.
        error_share: Share of them that fail, 0 to 1, on a usual day.
        incident_share: Share of those for an incident path that fail during the incident.
        incident_paths: The paths that the incident is of: asked twice as often, since who fails tries again.
    """

    name: str
    write: Callable[[Request], str]
    daily: int
    paths: tuple[str, ...]
    error_share: float
    incident_share: float
    incident_paths: tuple[str, ...] = ()


def requests(application: Application, day: date) -> Iterator[Request]:
    """Yield one day of an application, in order of time."""
    random = Random(f"{application.name} {day}")  # noqa: S311 - sample data, the same each time
    hours = random.choices(range(24), HOUR_WEIGHTS, k=application.daily)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for time in sorted(midnight + timedelta(hours=h, seconds=random.randrange(3600)) for h in hours):
        in_incident = INCIDENT[0] <= time < INCIDENT[1]
        yield _request(random, time, application, in_incident=in_incident)


def _request(random: Random, time: datetime, application: Application, *, in_incident: bool) -> Request:
    client = random.choice((f"192.0.2.{random.randrange(1, 255)}", f"2001:db8::{random.randrange(1, 65536):x}"))
    agent, status = random.choice(AGENTS), 200
    asked = random.choice((*application.paths, *(application.incident_paths if in_incident else ())))
    path = asked.format(id=random.randrange(1, 10_000))
    fails = in_incident and asked in application.incident_paths
    error_share = application.incident_share if fails else application.error_share
    request = f"{random.choices(('GET', 'POST'), (9, 1))[0]} {path} HTTP/1.1"
    what = random.random()
    if what < 0.02:
        request, agent = "GET /healthz HTTP/1.1", "kube-probe/1.33"
    elif what < 0.03:
        agent = MONITOR
    elif what < 0.032:
        request, status = TLS_HELLO, 400
    elif random.random() < error_share:
        status = random.choice((500, 502, 503, 504))
    elif random.random() < 0.06:
        status = random.choice((301, 304, 404, 404, 403, 429, 499))
    return Request(time, client, request, status, random.randrange(200, 60_000), agent)


def common(request: Request) -> str:
    """Write a line as Apache's `common` does."""
    time = request.time.strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{request.client} - - [{time}] "{request.request}" {request.status} {request.size}'


def combined(request: Request) -> str:
    """Write a line as `combined`, with the offset of Central European Summer Time."""
    local = request.time + timedelta(hours=2)
    line = common(request).replace(
        request.time.strftime("%d/%b/%Y:%H:%M:%S +0000"), local.strftime("%d/%b/%Y:%H:%M:%S +0200")
    )
    return f'{line} "https://example.com/start?from=mail" "{request.agent}"'


def vhost_combined(request: Request) -> str:
    """Write a line as `vhost_combined`."""
    return f'shop.example.com:443 {common(request)} "-" "{request.agent}"'


API = Application("api", common, 1500, ("/v1/orders", "/v1/orders/{id}", "/v1/users/me"), 0.002, 0)
DOCS = Application("docs", combined, 400, ("/", "/guide", "/guide/{id}", "/search?q=parquet"), 0.0005, 0)
SHOP = Application(
    "shop",
    vhost_combined,
    3000,
    ("/", "/cart", "/item/{id}?ref=mail", "/search?q=boots"),
    0.004,
    0.9,
    ("/cart",),
)


def lines(application: Application, day: date) -> Iterator[Line]:
    """Yield one day's lines with their times; about one in two thousand is malformed."""
    random = Random(f"{application.name} {day} malformed")  # noqa: S311 - sample data, the same each time
    for request in requests(application, day):
        line = application.write(request)
        kind = random.randrange(6000)
        if kind == 0:
            line = line[: len(line) * 2 // 3]
        elif kind == 1:
            line = line[: len(line) // 2] + line
        elif kind == 2:
            line = line.replace(f" {request.status} ", " 99 ")
        yield request.time, line


def write_all(folder: Path) -> None:
    """Write the sample logs below a folder: shop's files end at 06:25 of the day in their name."""
    files: defaultdict[Path, list[str]] = defaultdict(list)
    days = [FIRST_DAY + timedelta(days=n) for n in range(-1, DAYS + 1)]
    for day in days:
        for time, line in lines(SHOP, day):
            rotated = (time - ROTATION).date() + timedelta(days=1)
            files[folder / f"shop/access.log-{rotated:%Y%m%d}.gz"].append(line)
    for day in days[1:-1]:
        for time, line in lines(API, day):
            first_hour = time.hour // HOURS_PER_FILE * HOURS_PER_FILE
            files[folder / f"api/{day:%Y/%m/%d}/access-{first_hour:02}.log"].append(line)
        files[folder / "docs.log.gz"] += [line for _, line in lines(DOCS, day)]
    files[folder / DEPLOYS] = ["started,kind,name,applications"]
    files[folder / DEPLOYS] += [
        f"{time:%Y-%m-%dT%H:%M:%SZ},deploy,release {number},shop.example.com" for time, number in RELEASES.items()
    ]
    for path, found in files.items():
        _write(path, found)


def _write(path: Path, found: list[str]) -> None:
    data = "".join(f"{line}\n" for line in found).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, compresslevel=6, mtime=0) if path.suffix == ".gz" else data)


def main() -> None:
    """Write the sample logs, unless they are there."""
    (folder,) = map(Path, sys.argv[1:])
    if folder.exists():
        print(f"The sample logs are in {folder} already.")
        return
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    write_all(unfinished)
    unfinished.rename(folder)
    print(f"Sample logs written to {folder}: three applications, {DAYS} days from {FIRST_DAY}.")


if __name__ == "__main__":
    main()
