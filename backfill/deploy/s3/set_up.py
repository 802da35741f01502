#!/usr/bin/env python3
"""Set up a bucket for the lake: Object Lock, a default retention, and the bucket policy beside this file.

    python set_up.py --lake s3://acme-lake/lake --days 400 \
        --retention-role arn:aws:iam::123456789012:role/lake-retention

`--show` prints the policies with these names in them, and touches nothing. Docs: docs/how-to/s3.md.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import botocore.exceptions

from lake.cli import run
from lake.errors import ConfigError
from lake.store.s3_client import NOT_FOUND, client, split_url, translated

POLICIES = ("writer", "reader", "monitor", "verifier", "retention", "bucket")
PREFIX = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")  # without what a policy takes for a pattern or variable
ROLE = re.compile(r"arn:(aws[a-z-]*):iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
EXAMPLE_ROLE = "arn:aws:iam::111122223333:role/lake-retention"
PLAIN = "RefusePlainHttp"
SIDS = ("RefuseDeletes", "RefuseUnconditionalPuts", "RefuseReplicas", "RefuseOtherSettings", PLAIN)
LONGEST_DAYS = 36_500  # S3's own limit


def policies(bucket: str, prefix: str, logs: tuple[str, str], role: str) -> dict[str, Any]:
    """Return the policies by their names, with these names in the places of the examples'."""
    (partition,) = ROLE.fullmatch(role).groups()  # type: ignore[union-attr] # it is one
    names = {
        EXAMPLE_ROLE: role,
        "arn:aws:s3:::example-lake/lake/": f"arn:{partition}:s3:::{bucket}/{prefix}/",
        "arn:aws:s3:::example-lake": f"arn:{partition}:s3:::{bucket}",
        '"lake/': f'"{prefix}/',
        "arn:aws:s3:::example-logs/logs/": f"arn:{partition}:s3:::{logs[0]}/{logs[1]}/",
        "arn:aws:s3:::example-logs": f"arn:{partition}:s3:::{logs[0]}",
        '"logs/': f'"{logs[1]}/',
    }
    example = re.compile("|".join(map(re.escape, names)))
    found = {}
    for name in POLICIES:
        text = (Path(__file__).parent / f"{name}-policy.json").read_text(encoding="utf-8")
        found[name] = json.loads(example.sub(lambda here: names[here[0]], text))
    return found


def set_up(s3: Any, bucket: str, policy: dict[str, Any], mode: str, days: int) -> dict[str, Any]:  # noqa: ANN401 - boto3's
    """Make the bucket if there is none, and bring it into the state that is returned; the policy comes last.

    Raises:
        ConfigError: A lifecycle rule of the bucket deletes or hides objects; nothing was changed.
        StoreError: S3 refuses something.
    """
    with translated(f"s3://{bucket}"):
        if _asked(s3.head_bucket, bucket) is None:
            region = s3.meta.region_name
            place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True, **place)
        elif rules := (_asked(s3.get_bucket_lifecycle_configuration, bucket) or {}).get("Rules"):
            names = ", ".join(rule.get("ID", "?") for rule in rules)
            raise ConfigError(
                f"s3://{bucket} has lifecycle rules ({names}), which no policy stops. Remove them, or take a "
                "bucket for the lake alone. Nothing was changed."
            )
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        retention = {"DefaultRetention": {"Mode": mode, "Days": days}}
        lock = {"ObjectLockEnabled": "Enabled", "Rule": retention}
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
        found = {
            "bucket": bucket,
            "versioning": s3.get_bucket_versioning(Bucket=bucket)["Status"],
            "retention": s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["Rule"],
        }
        if policy["Statement"]:
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        return found | {"policy": [statement["Sid"] for statement in policy["Statement"]]}


def _asked(ask: Callable[..., dict[str, Any]], bucket: str) -> dict[str, Any] | None:
    """Return an answer about a bucket, None if there is nothing to tell."""
    try:
        return ask(Bucket=bucket)
    except botocore.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != NOT_FOUND:
            raise
        return None


def _matching(kind: str, expected: re.Pattern[str], text: str) -> str:
    """Return a text that is of a kind, else refuse it."""
    if not expected.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no {kind}")
    return text


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days, 1 to {LONGEST_DAYS}")
    return int(text)


def _url(text: str) -> tuple[str, str]:
    """Return bucket and prefix of `s3://bucket/prefix`."""
    try:
        bucket, prefix = split_url(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return bucket, _matching("s3://bucket/prefix", PREFIX, prefix.rstrip("/"))


def _arguments() -> argparse.Namespace:
    """Return the arguments; wrong ones end the program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--lake", required=True, type=_url, help="[lake] root: s3://bucket/prefix")
    parser.add_argument(
        "--logs", type=_url, default=("example-logs", "logs"), help="where raw logs lie: s3://bucket/prefix"
    )
    role = partial(_matching, "role's ARN", ROLE)
    parser.add_argument("--retention-role", required=True, type=role, help="ARN of who may delete and change")
    parser.add_argument("--days", required=True, type=_days, help="how long each version is kept from deletion")
    parser.add_argument("--mode", choices=("GOVERNANCE", "COMPLIANCE"), default="GOVERNANCE")
    parser.add_argument("--endpoint-url", help="a server of your own instead of AWS")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="SID",
        choices=SIDS,
        help=f"leave a statement out that your server doesn't understand: {', '.join(SIDS)}",
    )
    parser.add_argument("--show", action="store_true", help="print the policies, and touch nothing")
    return parser.parse_args()


def main() -> int:
    """Set up, or show, what the command line names; return 0."""
    arguments = _arguments()
    bucket, prefix = arguments.lake
    filled = policies(bucket, prefix, arguments.logs, arguments.retention_role)
    policy = filled["bucket"]
    policy["Statement"] = [each for each in policy["Statement"] if each["Sid"] not in arguments.without]
    if (arguments.endpoint_url or "").startswith("http://") and PLAIN not in arguments.without:
        raise ConfigError(f"{PLAIN} would refuse everybody at {arguments.endpoint_url}. Add --without {PLAIN}.")
    said = filled
    if not arguments.show:
        said = set_up(client(arguments.endpoint_url), bucket, policy, arguments.mode, arguments.days)
    sys.stdout.write(json.dumps(said, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    run("set_up", main)
