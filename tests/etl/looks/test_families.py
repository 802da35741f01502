"""Names as servers, shippers and clouds give them: `files` takes each file that lies there, and later ones."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from etl.looks.siblings import family
from etl.raw.files import FilePattern

BEGIN = datetime(2026, 9, 27, 0, 10)
LATER = [datetime(2026, 11, 3, 5, 40), datetime(2027, 1, 4, 21, 10)]
HOURS = 96


def _hex(at: datetime, digits: int) -> str:
    return f"{random.Random(str(at)).getrandbits(4 * digits):0{digits}x}"  # noqa: S311 - a name


def _uuid(at: datetime) -> str:
    text = _hex(at, 32)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _object(at: datetime) -> str:
    return "".join(random.Random(str(at)).choices("ABCDEFGHJKabcdefgh23456789", k=8))  # noqa: S311 - a name


ALB = "AWSLogs/1/elasticloadbalancing/eu/{:%Y/%m/%d}/1_elasticloadbalancing_eu_app.web.50dc6c495c0c9188_"

NAMES: dict[str, Callable[[datetime], str]] = {
    "firehose": lambda t: f"{t:%Y/%m/%d/%H}/logs-1-{t:%Y-%m-%d-%H-%M}-33-{_uuid(t)}",
    "firehose, compressed": lambda t: (
        f"gw/{t:%Y/%m/%d/%H}/amazon-apigateway-x-3-{t:%Y-%m-%d-%H-%M}-33-{_uuid(t)}.gz"
    ),
    "firehose, part of an id": lambda t: (
        f"{t:%Y/%m/%d/%H}/cf-1-{t:%Y-%m-%d-%H}-05-33-{_hex(t, 5)}-{_hex(t, 4)}.gz"
    ),
    "cloudfront v2": lambda t: f"CloudFront/E2EXAMPLE/{t:%Y/%m/%d/%H}/E2EXAMPLE.{t:%Y-%m-%d-%H}.{_hex(t, 8)}.gz",
    "cloudfront": lambda t: f"cf/E2EXAMPLE.{t:%Y-%m-%d-%H}.{_hex(t, 8)}.gz",
    "azure": lambda t: f"y={t:%Y}/m={t:%m}/d={t:%d}/h={t:%H}/m=00/PT1H.json",
    "hive": lambda t: f"year={t:%Y}/month={t:%m}/day={t:%d}/hour={t:%H}/part-0000-{_hex(t, 8)}.gz",
    "hive of dates": lambda t: f"dt={t:%Y-%m-%d}/hour={t:%H}/part-00.gz",
    "vector": lambda t: f"date={t:%Y-%m-%d}/{int(t.timestamp())}-{_uuid(t)}.log.gz",
    "logstash": lambda t: f"ls.s3.{_uuid(t)}.{t:%Y-%m-%dT%H}.05.part0.txt.gz",
    "fluent bit": lambda t: f"fluent-bit-logs/kube.web/{t:%Y/%m/%d/%H/%M}/33-object{_object(t)}",
    "fluentd": lambda t: f"{t:%Y%m%d%H}_0.gz",
    "google": lambda t: f"requests/{t:%Y/%m/%d}/{t:%H}:00:00_{t:%H}:59:59_S0.json",
    "alb, private": lambda t: f"{ALB.format(t)}{t:%Y%m%dT%H%M}Z_10.0.{1 + t.hour % 2}.7_{_hex(t, 8)}.log.gz",
    "alb, 18.": lambda t: f"{ALB.format(t)}{t:%Y%m%dT%H%M}Z_{18 + t.hour // 8}.0.1.7_{_hex(t, 8)}.log.gz",
    "elb": lambda t: f"{t:%Y/%m/%d}/1_elasticloadbalancing_us_my-elb_{t:%Y%m%dT%H}00Z_10.0.0.1_{_hex(t, 8)}.log",
    "address after the date": lambda t: f"access-{t:%Y%m%d}_{10 + 10 * (t.hour % 2)}.0.0.1.log",
    "s3": lambda t: f"b/{t:%Y/%m/%d}/{t:%Y-%m-%d-%H-%M}-00-{_hex(t, 16).upper()}",
    "logback": lambda t: f"access.{t:%Y-%m-%d}.{t.hour // 8}.gz",
    "logback, digits": lambda t: f"access_log.{t:%Y%m%d}.{t.hour // 12}.gz",
    "log4j": lambda t: f"access.log.{t:%Y-%m-%d}.{t.hour // 8 + 1}",
    "log4j, dashes": lambda t: f"access-{t:%Y-%m-%d}-{t.hour // 8 + 1}.log.gz",
    "logrotate and a number": lambda t: f"access.log-{t:%Y%m%d}.{t.hour // 8 + 1}.gz",
    "dots": lambda t: f"access_log.{t:%Y.%m.%d}",
    "dots, compressed": lambda t: f"access.log.{t:%Y.%m.%d}.gz",
    "folder of a day, numbers": lambda t: f"{t:%Y-%m-%d}/access.log" + f".{t.hour // 8}" * (t.hour > 7),
    "two-digit parts": lambda t: f"access.{t:%Y-%m-%d}.{t.hour * 2:02}.log",
    "one long ago": lambda t: f"access-{t:%Y-%m-%d}_00-00-00.log",
    "hour": lambda t: f"access.{t:%Y-%m-%d-%H}.log",
    "folders of hours": lambda t: f"{t:%Y/%m/%d/%H}/access.log",
    "folders of hours, files of minutes": lambda t: f"{t:%Y/%m/%d/%H}/{t:%M}.log",
    "files of hours": lambda t: f"{t:%Y-%m-%d}/{t:%H}.log",
    "folders of months": lambda t: f"web1/{t:%Y/%m}/access-{t:%d}.log",
    "folders of months, dated": lambda t: f"{t:%Y/%m}/access-{t:%Y-%m-%d}.log",
    "folders of years, dated": lambda t: f"{t:%Y}/access-{t:%Y%m%d}.log.gz",
    "folder of the day before": lambda t: f"{t - timedelta(1):%Y/%m/%d}/access-{t:%Y%m%d}.log.gz",
    "day and host": lambda t: f"{t:%Y%m%d}/web1/access.log",
    "cpanel": lambda t: f"example.com-ssl_log-{t:%b-%Y}.gz",
    "months": lambda t: f"access-{t:%Y-%m}.log",
    "months, dense": lambda t: f"access-{t:%Y%m}.log",
    "weeks": lambda t: f"access-{t:%Y-W%V}.log",
    "weekdays": lambda t: f"access-{t:%a}.log",
    "days of the year": lambda t: f"access.{t:%Y%j}.log",
    "iis": lambda t: f"W3SVC1/u_ex{t:%y%m%d%H}.log",
    "pods": lambda t: f"web-7d9f8b6c5-{_hex(t, 5)}.{t:%Y-%m-%d}.log",
}


@pytest.mark.parametrize("kind", NAMES)
def test_all_files_that_lie_there_are_taken_and_those_to_come(kind: str) -> None:
    """Whichever of the last was asked for; the day that a name tells is its own, whatever beside it is `error`."""
    name = NAMES[kind]
    times = [BEGIN + timedelta(hours=n) for n in range(HOURS)]
    names = {f"logs/{name(at)}": at for at in times}
    others = {each.replace("access", "error") for each in names if "access" in each}
    for path, at in [*names.items()][:: len(names) // 3 or 1] + [*names.items()][-1:]:
        found = family(path, {*names, *others}, {at.date()}, at.hour)
        pattern = FilePattern(found.files, Path("/"))
        left = [each for each in (*names, *(f"logs/{name(t)}" for t in LATER)) if not pattern.takes(each)]
        assert (found.files, left) == (found.files, [])
        assert not [each for each in others if pattern.takes(each)], found.files
        if pattern.is_dated:
            assert all(pattern.day_of(each).day == t.day for each, t in names.items()), found.files
        assert {each for each, _ in found.members} == {*names}
