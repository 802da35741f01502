"""Policies of a bucket on S3: what stands in them, and what servers make of them that know users and policies.

What AWS makes of them is not tried here, nor said to be: docs/how-to/s3.md tells which statement was tried where.
"""

import http.client
import json
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.exceptions
import pytest
from faulty import Request, before
from s3_servers import KEYS, REGION, Moto, SeaweedFS

from backfill import cli
from backfill.check import Status
from lake.contracts import contract
from lake.lake import Lake, open_store

pytestmark = pytest.mark.slow

DEPLOY = Path(cli.__file__).parent / "deploy/s3"
PAGE = (Path(__file__).parents[2] / "docs/how-to/s3.md").read_text(encoding="utf-8")
ROLES = ("writer", "reader", "monitor", "verifier", "retention")
LISTINGS = ("s3:ListBucket", "s3:ListBucketVersions")
ACTIONS = {  # those that IAM knows and that are needed here
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutObject",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
}
KEY = "lake/error_rate/v1/dt=2015-05-17/rev=0/part-0.parquet"
REQUESTS = "requests/v1/dt=2015-05-17/source=web/rev=0/part-0.parquet"
REJECTS = REQUESTS.replace("requests", "rejects")
DENIED = ("AccessDenied", "InvalidAccessKeyId", "403")
RETENTION_ROLE = "arn:aws:iam::123456789012:role/lake-retention"
NUMBERS = count()
SIDS = ("RefuseDeletes", "RefuseUnconditionalPuts", "RefuseReplicas", "RefuseOtherSettings", "RefusePlainHttp")
RARELY_READ = {
    "writer": (
        "_attempts/*.jsonl",
        "_confirmed/*.json",
        "_events/*.json",
        "_evidence/*.json",
        "_identity/lake.json",
        "_late/*.json",
        "_restatements/*.json",
        "_seen/*.json",
    ),  # after a write whose reply was lost, of past failures, of restatements that were cut off; by deliveries
    "monitor": (
        "source_*/v*/dt=*/rev=*/part-0.parquet",
        "status_mix/v*/dt=*/rev=*/part-0.parquet",
        "_attempts/DeliveredDaily/*.jsonl",
        "_confirmed/*.json",
        "_identity/lake.json",
        "_late/*.json",
        "_restatements/*.json",
        "_seen/*.json",
    ),  # where a day may be older than its inputs; of deliveries, restatements that were cut off, and undated logs
    "verifier": (
        "_confirmed/*.json",
        "_events/*.json",
        "_late/*.json",
        "_retention/*.json",
        "_seen/*.json",
    ),  # of restatements, events, late logs, if anything was deleted, and of undated logs
}
CODE = "--delete ([0-9a-f]{12}) "
COUNT = ("lake", "sql", "--csv", "select count(distinct dt) from requests")
RETENTION = ("lake", "retention", "--dataset", "requests", "--before", "2015-05-18")


def policy(name: str) -> dict[str, Any]:
    """Return a policy as it stands in its file."""
    return json.loads((DEPLOY / f"{name}-policy.json").read_text(encoding="utf-8"))


def listed(value: str | list[str]) -> list[str]:
    """Return what a policy may give as one text or as several."""
    return [value] if isinstance(value, str) else value


# What stands in them


@pytest.mark.parametrize("name", [*ROLES, "bucket"])
def test_a_policy_has_nothing_but_what_is_known(name):
    """Its version, and statements of known keys, each with a name of its own, about the example buckets only."""
    document = policy(name)
    assert document.keys() == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    names = [each["Sid"] for each in document["Statement"]]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z0-9]+", each) for each in names)
    for each in document["Statement"]:
        assert each.keys() - {"Condition", "Principal"} == {"Sid", "Effect", "Action", "Resource"}
        is_about_all = set(listed(each["Action"])) == {"s3:*"}
        assert is_about_all == (each["Sid"] == "RefusePlainHttp")
        assert is_about_all or ACTIONS.issuperset(listed(each["Action"]))
        for resource in listed(each["Resource"]):
            assert re.match(r"arn:aws:s3:::example-(lake|logs)(/|$)", resource)
            assert ("/" in resource) != (each["Action"] in LISTINGS) or name == "bucket"


@pytest.mark.parametrize("name", ROLES)
def test_a_role_is_only_allowed_things(name):
    """It denies nothing, so that two roles can be one user's, and names no principal."""
    for each in policy(name)["Statement"]:
        assert each["Effect"] == "Allow"
        assert "Principal" not in each
        if each["Action"] in LISTINGS:
            (prefixes,) = each["Condition"]["StringLike"].values()
            assert all(re.match(r"(lake|logs)/", prefix) for prefix in listed(prefixes))


def test_the_bucket_denies_everybody():
    """It allows nothing; the retention role is excepted from what it must be able to do, and from nothing else."""
    statements = {each["Sid"]: each for each in policy("bucket")["Statement"]}
    for each in statements.values():
        assert (each["Effect"], each["Principal"]) == ("Deny", "*")
    excepted = {sid for sid, each in statements.items() if "lake-retention" in json.dumps(each.get("Condition"))}
    assert excepted == {"RefuseDeletes", "RefuseOtherSettings"}
    puts = statements["RefuseUnconditionalPuts"]
    assert puts["Action"] == "s3:PutObject"
    # no exemption for uploads in parts, which so can't be begun
    assert puts["Condition"] == {"Null": {"s3:if-none-match": "true"}}
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion"} <= set(statements["RefuseDeletes"]["Action"])


# What servers make of them


@dataclass(frozen=True)
class Secured:
    """An S3 server that knows users.

    Attributes:
        name: Which one it is.
        url: Where it listens.
    """

    name: str
    url: str

    def client(self, service: str = "s3", keys: dict[str, str] = KEYS) -> Any:
        """Return a client with a user's keys, by default those of who runs the server."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        )

    def user(self, name: str, document: dict[str, Any], names: dict[str, str]) -> dict[str, str]:
        """Make a user with a policy, and return the environment with its keys, once it may list error rates."""
        name = f"{name}-{next(NUMBERS)}"
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(document))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        keys = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
        s3 = self.client(keys=keys)
        while denies(s3.list_objects_v2, Bucket=names["example-lake"], Prefix="lake/error_rate/v1/"):
            time.sleep(0.02)  # SeaweedFS takes its time
        return KEYS | keys

    @contextmanager
    def enforcing(self) -> Iterator[None]:
        """Have moto, which lets everybody do everything, ask its users' policies meanwhile."""
        if self.name != "moto":
            yield
            return
        self._ask_after("0")
        try:
            yield
        finally:
            self._ask_after("inf")

    def _ask_after(self, requests: str) -> None:
        with closing(http.client.HTTPConnection(urlsplit(self.url).netloc)) as connection:
            connection.request("POST", "/moto-api/reset-auth", requests)
            assert connection.getresponse().status == 200


class WithUsers(SeaweedFS):
    """SeaweedFS with an IAM service that can be written to."""

    def start(self) -> None:
        """Start it with one option more."""
        self._command.append("-s3.iam.readOnly=false")
        super().start()


@pytest.fixture(scope="module", params=["moto", "seaweedfs"])
def server(request, tmp_path_factory) -> Iterator[Secured]:
    """A server that knows users, once moto and once SeaweedFS."""
    made = Moto() if request.param == "moto" else WithUsers(tmp_path_factory.mktemp("server"))
    yield Secured(request.param, made.url)
    made.stop()


@pytest.fixture
def names(server) -> dict[str, str]:
    """The names of two new buckets by the examples', with raw logs in one of them."""
    number = next(NUMBERS)
    found = {"example-lake": f"some-lake-{number}", "example-logs": f"some-logs-{number}"}
    for name in found.values():
        server.client().create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket="lake" in name,
        )
    return found


@pytest.fixture
def given(names) -> Callable[[str], dict[str, Any]]:
    """Gives a policy for those buckets."""

    def renamed(name):
        text = json.dumps(policy(name))
        for example, own in names.items():
            text = text.replace(example, own)
        return json.loads(text)

    return renamed


@pytest.fixture
def keys_of_anybody(server, names) -> dict[str, str]:
    """The environment of a user who may do everything, as far as users' policies go."""
    # not of all buckets: that would make an administrator of SeaweedFS
    resources = [f"arn:aws:s3:::{name}{below}" for name in names.values() for below in ("", "/*")]
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": resources}
    return server.user("all", {"Version": "2012-10-17", "Statement": [everything]}, names)


@pytest.fixture
def anybody(server, keys_of_anybody) -> Any:
    """A client of that user."""
    return server.client(keys=keys_of_anybody)


def denies(action: Callable[..., Any], **arguments: Any) -> bool:
    """Tell whether a server refuses something for want of a right; any other refusal is an error."""
    try:
        answer = action(**arguments)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        return True
    return bool(answer.get("Errors"))


def asked(request: Request) -> tuple[str, str]:
    """Return the action that a request is to IAM, and of what; a request that is none of these is a failure."""
    path, _, query = request.path.partition("?")
    if request.method == "GET" and query.startswith(("list-type=2&", "versions&")):
        (prefix,) = parse_qs(query)["prefix"]
        return LISTINGS[query.startswith("versions&")], f"{path[1:]} {prefix}"
    assert not query, request
    return {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject"}[request.method], path[1:]


def allowed(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the actions of a policy, each with a pattern of what `asked` says."""
    found = set()
    for each in document["Statement"]:
        resources = [resource.removeprefix("arn:aws:s3:::") for resource in listed(each["Resource"])]
        if "Condition" in each:
            prefixes = listed(each["Condition"]["StringLike"]["s3:prefix"])
            resources = [f"{resource} {prefix}" for resource in resources for prefix in prefixes]
        found |= {(action, resource) for action in listed(each["Action"]) for resource in resources}
    return found


COMMANDS = {
    "writer": (1, "backfill", "run", "--of", "ErrorRateDaily", "--start", "2015-05-17"),
    "reader": (0, "lake", "sql", "--csv", "select count(*) from error_rate"),
    "monitor": (Status.WARNING, "backfill", "check", "--of", "ErrorRateDaily", "--start", "2015-05-17"),
    "verifier": (1, "lake", "verify"),
}


@pytest.fixture
def logs_on_s3(a_project, server, names):
    """A project of which raw logs and lake are to be on the server; the second of its two days fails."""
    for day, text in (("2015-05-17", None), ("2015-05-18", b"no line of a log\n")):
        content = text or (a_project.folder / f"logs/{day}.log").read_bytes()
        server.client().put_object(Bucket=names["example-logs"], Key=f"logs/{day}.log", Body=content)
    return a_project


@pytest.mark.slow
def test_each_role_may_do_what_it_does_and_no_more(server, names, given, logs_on_s3, anybody):
    """Its command works with its policy, and has a use for each thing that the policy allows.

    Meanwhile somebody deletes rejects: `check`, which looks at error rates, doesn't see it; `lake verify` does.
    """
    roles = {role: given(role) for role in ROLES}
    keys = {role: server.user(role, document, names) for role, document in roles.items()}
    web = {"files": f"s3://{names['example-logs']}/logs/{{YYYY}}-{{MM}}-{{DD}}.log", "until": "2015-05-19"}
    said = {}
    with before(server.url) as proxy, server.enforcing():
        root = f"s3://{names['example-lake']}/lake"
        logs_on_s3.configure(lake={"root": root, "endpoint_url": proxy.url}, web=logs_on_s3.source | web)
        for role, (code, *command) in COMMANDS.items():
            if role == "monitor":
                anybody.delete_object(Bucket=names["example-lake"], Key=f"lake/{REJECTS}")
            proxy.requests.clear()
            done = replace(logs_on_s3, environment=logs_on_s3.environment | keys[role]).run(*command)
            assert done.returncode == code, done
            said[role] = done.stdout
            requests = {asked(request) for request, _ in proxy.requests}
            may = allowed(roles[role])
            for action, what in requests:
                assert any(action == a and fnmatchcase(what, pattern) for a, pattern in may), (action, what)
            needed = {(a, p) for a, p in may if any(a == action and fnmatchcase(w, p) for action, w in requests)}
            rare = {("s3:GetObject", f"{root[5:]}/{folder}") for folder in RARELY_READ.get(role, ())}
            if role == "writer":  # a restatement, an event
                rare |= {
                    ("s3:PutObject", f"{root[5:]}/{name}/*.json")
                    for name in ("_confirmed", "_events", "_late", "_restatements", "_seen")
                } | {("s3:PutObject", f"{root[5:]}/_identity/lake.json")}
            if role == "verifier":  # with --deep
                rare |= {("s3:GetObject", f"{names['example-logs']}/logs/*")}
            assert may - needed <= rare
    assert "1 days there, 1 late, the oldest: 2015-05-18 failed" in said["monitor"]
    assert f"{REJECTS}: gone: its publication was recorded, and it is not there." in said["verifier"]


@pytest.fixture
def run_as(server, names, logs_on_s3) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command with a user's keys, on a lake in which one day is built."""
    root = f"s3://{names['example-lake']}/lake"
    logs = f"s3://{names['example-logs']}/logs/{{YYYY}}-{{MM}}-{{DD}}.log"
    logs_on_s3.configure(
        lake={"root": root, "endpoint_url": server.url},
        web=logs_on_s3.source | {"files": logs, "until": "2015-05-18"},
    )

    def run(keys, *command):
        return replace(logs_on_s3, environment=logs_on_s3.environment | keys).run(*command)

    assert run(KEYS, "backfill", "run", "--of", "ErrorRateDaily").returncode == 0
    return run


@pytest.fixture
def versions(anybody, names) -> Callable[[], set[str]]:
    """Returns the keys of which there is any version or marker in the lake."""

    def keys():
        found = anybody.list_object_versions(Bucket=names["example-lake"], Prefix="lake/")
        return {each["Key"] for each in (*found["Versions"], *found.get("DeleteMarkers", ()))}

    return keys


@pytest.mark.slow
def test_retention_deletes_with_its_policy_alone(server, names, given, versions, run_as):
    """For good: no version is left; `lake verify` then knows it from what is gone. The writer can't do it."""
    keys = {role: server.user(role, given(role), names) for role in ROLES}
    with server.enforcing():
        needed = run_as(keys["retention"], *RETENTION)
        assert needed.returncode == 1, needed
        assert needed.stderr.startswith("2 partitions that stay were made from them, such as source_counts ")
        there = versions()
        shown = run_as(keys["retention"], *RETENTION, "--even-if-needed")
        delete = (*RETENTION, "--even-if-needed", "--delete", re.search(CODE, shown.stdout)[1], "--reason", "x")
        refused = run_as(keys["writer"], *delete)
        assert refused.returncode == 3, refused
        assert "The credentials lack the right to do this" in refused.stderr
        assert versions() == there
        done = run_as(keys["retention"], *delete)
        assert (done.returncode, done.stderr) == (0, ""), done
        verified = run_as(keys["verifier"], "lake", "verify")
        assert (verified.returncode, verified.stderr) == (0, ""), verified
    gone = {key for key in there if key.startswith(("lake/requests/", "lake/_evidence/requests/"))}
    (record,) = versions() - (there - gone)
    assert record.startswith("lake/_retention/requests/before=2015-05-18_")


@pytest.mark.slow
def test_a_monitor_sees_how_late_a_target_is(server, names, given, run_as, logs_on_s3):
    """A delivery's receipts bear the lake's id, and what failed of it has attempts of its own."""
    with (logs_on_s3.folder / "luigi.cfg").open("a", encoding="utf-8") as settings:
        settings.write("[deliver.table]\nto = file://table.csv\ndatasets = error_rate\n")
    assert run_as(KEYS, "lake", "deliver", "--to", "table").returncode == 0
    command = ("backfill", "check", "--deliver", "table", "--start", "2015-05-17")
    keys = server.user("monitor", given("monitor"), names)
    with server.enforcing():
        assert run_as(keys, *command).stdout.startswith("DeliveredDaily table OK: 1 days there, 0 late")
        (logs_on_s3.folder / "table.csv").unlink()
        (logs_on_s3.folder / "table.csv.receipts.json").unlink()
        late = run_as(keys, *command)
    assert (late.returncode, "1 late" in late.stdout) == (1, True), late


@pytest.mark.slow
def test_retention_is_refused_by_the_bucket_to_all_but_its_role(server, names, given, keys_of_anybody, run_as):
    """To who may delete by their own policy, too. SeaweedFS tells users by another key than AWS tells roles."""
    if server.name == "moto":
        pytest.skip("moto doesn't look at conditions")
    bucket = names["example-lake"]
    keys = server.user("retention", given("retention"), names)
    users = [each["UserName"] for each in server.client("iam").list_users()["Users"]]
    (statement,) = (each for each in given("bucket")["Statement"] if each["Sid"] == "RefuseDeletes")
    assert statement["Condition"].keys() == {"StringNotEquals"}
    statement["Condition"]["StringNotEquals"] = {
        "aws:username": [each for each in users if each.startswith("retention-")]
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    server.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    shown = run_as(keys, *RETENTION, "--even-if-needed")
    delete = (*RETENTION, "--even-if-needed", "--delete", re.search(CODE, shown.stdout)[1], "--reason", "x")
    refused = run_as(keys_of_anybody, *delete)
    assert refused.returncode == 3, refused
    assert (
        "S3 answered AccessDenied to DeleteObject. The credentials are not the retention role's" in refused.stderr
    )
    assert run_as(KEYS, *COUNT).stdout.split()[-1] == "1"
    done = run_as(keys, *delete)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert run_as(KEYS, *COUNT).stdout.split()[-1] == "0"


def test_each_role_is_refused_the_rest(server, names, given, anybody):
    """Retention alone deletes, the writer alone writes; the monitor reads no requests, the reader no attempts."""
    bucket = names["example-lake"]
    keys = {role: server.user(role, given(role), names) for role in ROLES}
    requests = f"lake/{REQUESTS}"
    attempts = "lake/_attempts/ErrorRateDaily/a.jsonl"
    for key in (KEY, requests, attempts, "lake/other"):
        anybody.put_object(Bucket=bucket, Key=key, Body=b"")
    with server.enforcing():
        s3 = {role: server.client(keys=keys[role]) for role in ROLES}
        for role in ROLES:
            here = {"Bucket": bucket, "Key": KEY}
            assert not denies(s3[role].get_object, **here)
            version = {"VersionId": s3["writer"].head_object(**here).get("VersionId", "null")}
            for what in (version, {}):
                several = {"Objects": [{"Key": KEY} | what]}
                if role != "retention":
                    assert denies(s3[role].delete_object, **here, **what)
                    assert denies(s3[role].delete_objects, Bucket=bucket, Delete=several)
            other = {"Objects": [{"Key": "lake/other"}]}
            assert denies(s3[role].delete_objects, Bucket=bucket, Delete=other)
            assert denies(s3[role].list_object_versions, Bucket=bucket, Prefix="lake/") == (role != "retention")
            assert denies(s3[role].put_object, **here | {"Key": "lake/other"}, Body=b"")
            assert denies(s3[role].put_object, **here, Body=b"") == (role != "writer")
            assert denies(s3[role].get_object, **here | {"Key": requests}) == (role == "monitor")
            assert denies(s3[role].get_object, **here | {"Key": attempts}) == (
                role not in {"writer", "monitor", "verifier"}
            )
            assert denies(s3[role].get_bucket_policy, Bucket=bucket)
            assert denies(s3[role].put_bucket_policy, Bucket=bucket, Policy=json.dumps(given("bucket")))
            assert denies(s3[role].list_objects_v2, Bucket=names["example-logs"], Prefix="logs/") == (
                role not in {"writer", "verifier", "monitor"}
            )
            if server.name != "moto":  # which doesn't look at conditions
                assert denies(s3[role].list_objects_v2, Bucket=bucket)
                assert not denies(s3[role].list_objects_v2, Bucket=bucket, Prefix="lake/requests/v1/")


@pytest.fixture
def under(server, names, given, anybody):
    """Puts one statement of the bucket's policy in force, and gives a client of who may do everything else."""

    @contextmanager
    def in_force(sid):
        document = given("bucket")
        document["Statement"] = [each for each in document["Statement"] if each["Sid"] == sid]
        assert document["Statement"]
        for rev in (0, 1):
            anybody.put_object(Bucket=names["example-lake"], Key=KEY.replace("rev=0", f"rev={rev}"), Body=b"")
        anybody.put_bucket_policy(Bucket=names["example-lake"], Policy=json.dumps(document))
        with server.enforcing():
            yield anybody

    return in_force


def test_the_bucket_refuses_deletes(under, names):
    """Of a version or by a marker, one or several, whoever asks; all else goes on, outside the lake too."""
    bucket = names["example-lake"]
    with under("RefuseDeletes") as s3:
        (version,) = s3.list_object_versions(Bucket=bucket, Prefix=KEY)["Versions"]
        assert denies(s3.delete_object, Bucket=bucket, Key=KEY)
        assert denies(s3.delete_object, Bucket=bucket, Key=KEY, VersionId=version["VersionId"])
        assert denies(s3.delete_objects, Bucket=bucket, Delete={"Objects": [{"Key": KEY}]})
        assert not denies(
            s3.put_object, Bucket=bucket, Key=KEY.replace("rev=0", "rev=2"), Body=b"", IfNoneMatch="*"
        )
        assert not denies(s3.get_object, Bucket=bucket, Key=KEY)
        assert not denies(s3.put_object, Bucket=bucket, Key="elsewhere", Body=b"")
        assert not denies(s3.delete_object, Bucket=bucket, Key="elsewhere")


def test_seaweedfs_lets_administrators_delete_several_at_once(server, under, names):
    """Its bucket's policy doesn't bind them then, as the page says. If this fails, it does by now."""
    if server.name == "moto":
        pytest.skip("of SeaweedFS")
    with under("RefuseDeletes"):
        administrator = server.client()
        assert denies(administrator.delete_object, Bucket=names["example-lake"], Key=KEY)
        several = {"Objects": [{"Key": KEY}]}
        assert not denies(administrator.delete_objects, Bucket=names["example-lake"], Delete=several)


def test_the_bucket_refuses_other_settings(server, under, names):
    """What would let deletes in by a back door: lifecycle, versioning, lock, and the policy itself."""
    if server.name == "moto":
        pytest.skip("moto asks a bucket's policy about objects only")
    bucket = names["example-lake"]
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    with under("RefuseOtherSettings") as s3:
        assert denies(
            s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}
        )
        assert denies(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        lock = {"ObjectLockEnabled": "Enabled"}
        assert denies(s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=lock)
        assert denies(s3.put_bucket_policy, Bucket=bucket, Policy="{}")
        assert denies(s3.delete_bucket_policy, Bucket=bucket)
        assert not denies(s3.list_objects_v2, Bucket=bucket, Prefix="lake/")


def test_the_bucket_refuses_plain_http(server, under, names):
    """These servers speak nothing else, so that everything is refused."""
    with under("RefusePlainHttp") as s3:
        assert denies(s3.get_object, Bucket=names["example-lake"], Key=KEY)
        assert denies(s3.put_object, Bucket=names["example-lake"], Key=KEY, Body=b"", IfNoneMatch="*")


def test_no_server_here_tells_conditional_puts_apart(under, names):
    """Both refuse either kind: so that statement is not tried. If this fails, one has learned it: try it then."""
    with under("RefuseUnconditionalPuts") as s3:
        here = {"Bucket": names["example-lake"], "Key": KEY.replace("rev=0", "rev=2"), "Body": b""}
        assert denies(s3.put_object, **here)
        assert denies(s3.put_object, **here, IfNoneMatch="*")
        assert not denies(s3.put_object, **here | {"Key": "elsewhere"})


# Object Lock, and the program that sets it up


@dataclass(frozen=True)
class Done:
    """How the program ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def set_up(tmp_path, monkeypatch, capsys) -> Callable[..., Done]:
    """Runs the program that sets a bucket up."""
    for name, value in (KEYS | {"HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)

    def run(*arguments, **given):
        options = {"lake": "s3://some-bucket/lake", "days": "30", "retention-role": RETENTION_ROLE} | given
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        monkeypatch.setattr(sys, "argv", ["set_up.py", *words, *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(DEPLOY / "set_up.py"), run_name="__main__")
        return Done(end.value.code, *capsys.readouterr())

    return run


WRONG = {
    "days": ["0", "-1", "1.5", "36501", "\N{ARABIC-INDIC DIGIT THREE}", ""],
    "lake": [
        "some-bucket",
        "s3://some-bucket",
        "s3://Some/lake",
        "s3://some-bucket/la*ke",
        "s3://some-bucket/${x}",
    ],
    "logs": ["s3://some-logs/lo?gs"],
    "mode": ["governance", "NONE"],
    "retention-role": ["lake-retention", "arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:user/x", "*"],
    "without": ["Everything"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_set_up_refuses_wrong_arguments(name, value, set_up):
    """Before anything is asked of a server."""
    done = set_up(**{name: value})
    assert (done.code, done.out) == (2, "")
    assert f"argument --{name}: " in done.err


def test_set_up_shows_policies_with_the_given_names(set_up):
    """No name of the examples is left, and a name that looks like another example's is not replaced again."""
    role = RETENTION_ROLE.replace("arn:aws:", "arn:aws-cn:")
    names = {"lake": "s3://acme-lake/logs/http", "logs": "s3://acme-raw/lake", "retention-role": role}
    done = set_up("--show", **names)
    assert (done.code, done.err) == (0, "")
    assert not re.search("example|111122223333|arn:aws:", done.out)
    found = json.loads(done.out)
    assert list(found) == [*ROLES, "bucket"]
    assert allowed_anywhere(found["writer"]) == {
        "arn:aws-cn:s3:::acme-lake",
        "arn:aws-cn:s3:::acme-lake/logs/http/*/v*/dt=*/rev=*/part-0.parquet",
        "arn:aws-cn:s3:::acme-lake/logs/http/_attempts/*.jsonl",
        "arn:aws-cn:s3:::acme-lake/logs/http/_confirmed/*.json",
        "arn:aws-cn:s3:::acme-lake/logs/http/_events/*.json",
        "arn:aws-cn:s3:::acme-lake/logs/http/_evidence/*.json",
        "arn:aws-cn:s3:::acme-lake/logs/http/_identity/lake.json",
        "arn:aws-cn:s3:::acme-lake/logs/http/_late/*.json",
        "arn:aws-cn:s3:::acme-lake/logs/http/_restatements/*.json",
        "arn:aws-cn:s3:::acme-lake/logs/http/_seen/*.json",
        "arn:aws-cn:s3:::acme-raw",
        "arn:aws-cn:s3:::acme-raw/lake/*",
    }
    prefixes = [each["Condition"]["StringLike"]["s3:prefix"] for each in found["writer"]["Statement"][::2]]
    assert prefixes == ["logs/http/*", "lake/*"]


def allowed_anywhere(document: dict[str, Any]) -> set[str]:
    """Return all resources of a policy."""
    return {resource for each in document["Statement"] for resource in listed(each["Resource"])}


def test_set_up_makes_a_bucket_and_can_be_run_again(server, set_up):
    """Another number of days is taken; what is returned is what the server says afterwards."""
    bucket = f"made-{next(NUMBERS)}"
    own = {"lake": f"s3://{bucket}/lake", "endpoint-url": server.url}
    refused = set_up(**own)
    assert (refused.code, refused.out) == (2, "")
    assert "Add --without RefusePlainHttp." in refused.err
    # the settings stay open, or these servers would let nobody change them again
    left_out = ("--without", "RefusePlainHttp", "--without", "RefuseOtherSettings")
    for days, mode in ((30, "GOVERNANCE"), (31, "COMPLIANCE")):
        done = set_up(*left_out, **own, days=str(days), mode=mode)
        assert (done.code, done.err) == (0, "")
        found = json.loads(done.out)
        assert found["policy"] == ["RefuseDeletes", "RefuseUnconditionalPuts", "RefuseReplicas"]
        assert found["versioning"] == "Enabled"
    s3 = server.client()
    lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert {"Mode": "COMPLIANCE", "Days": 31}.items() <= lock["Rule"]["DefaultRetention"].items()
    there = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert [each["Sid"] for each in there["Statement"]] == found["policy"]
    assert "arn:aws:s3:::example" not in json.dumps(there)


def test_set_up_refuses_a_bucket_that_empties_itself(server, set_up, names):
    """A lifecycle rule is no request of anybody's, so that no policy stops it."""
    s3, bucket = server.client(), names["example-logs"]
    rule = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    own = {"lake": f"s3://{bucket}/lake", "endpoint-url": server.url}
    done = set_up("--without", "RefusePlainHttp", **own)
    assert (done.code, done.out) == (2, "")
    assert "has lifecycle rules (tidy), which no policy stops" in done.err
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


@pytest.fixture(params=["GOVERNANCE"])
def locked(request, server, set_up) -> tuple[Any, Lake, dict[str, str]]:
    """A client, a lake in a bucket with Object Lock and no policy, and where the one object in it lies."""
    bucket = f"locked-{next(NUMBERS)}"
    left_out = [word for sid in SIDS for word in ("--without", sid)]
    own = {"lake": f"s3://{bucket}/lake", "endpoint-url": server.url, "mode": request.param}
    done = set_up(*left_out, **own)
    assert (done.code, done.err) == (0, "")
    here = {"Bucket": bucket, "Key": KEY}
    s3 = server.client()
    s3.put_object(**here, Body=b"published", IfNoneMatch="*")
    return s3, Lake(open_store(f"s3://{bucket}/lake", server.url)), here


def days_there(lake: Lake) -> list[date]:
    """Return the days of the error rates that the lake sees."""
    return [each.dt for each in lake.latest(contract("error_rate"))]


def test_a_locked_version_stays_and_a_marker_hides_it(locked):
    """The version can't be deleted; a marker can be put on top of it, and taken off again."""
    s3, lake, here = locked
    (version,) = s3.list_object_versions(Bucket=here["Bucket"], Prefix=KEY)["Versions"]
    assert denies(s3.delete_object, **here, VersionId=version["VersionId"])
    marker = s3.delete_object(**here)
    assert marker["DeleteMarker"]
    assert days_there(lake) == []
    assert s3.get_object(**here, VersionId=version["VersionId"])["Body"].read() == b"published"
    s3.delete_object(**here, VersionId=marker["VersionId"])
    assert days_there(lake) == [date(2015, 5, 17)]
    assert s3.get_object(**here)["Body"].read() == b"published"


def test_a_marker_lets_a_conditional_put_through(locked):
    """The name is free again, and a later build publishes other bytes; the first ones are a version below."""
    s3, _, here = locked
    with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(**here, Body=b"other", IfNoneMatch="*")
    s3.delete_object(**here)
    s3.put_object(**here, Body=b"other", IfNoneMatch="*")
    assert s3.get_object(**here)["Body"].read() == b"other"
    versions = s3.list_object_versions(Bucket=here["Bucket"], Prefix=KEY)["Versions"]
    bodies = [s3.get_object(**here, VersionId=each["VersionId"])["Body"].read() for each in versions]
    assert sorted(bodies) == [b"other", b"published"]


def test_object_lock_is_not_write_once(locked):
    """A put without a condition becomes the current version; who may bypass GOVERNANCE deletes the first one."""
    s3, _, here = locked
    (version,) = s3.list_object_versions(Bucket=here["Bucket"], Prefix=KEY)["Versions"]
    s3.put_object(**here, Body=b"other")
    assert s3.get_object(**here)["Body"].read() == b"other"
    s3.delete_object(**here, VersionId=version["VersionId"], BypassGovernanceRetention=True)
    (left,) = s3.list_object_versions(Bucket=here["Bucket"], Prefix=KEY)["Versions"]
    assert left["VersionId"] != version["VersionId"]


@pytest.mark.parametrize("locked", ["COMPLIANCE"], indirect=True)
def test_nobody_bypasses_compliance(server, locked):
    """A version can't be deleted; nor, which moto allows, its retention be shortened or versioning suspended."""
    s3, _, here = locked
    (version,) = s3.list_object_versions(Bucket=here["Bucket"], Prefix=KEY)["Versions"]
    own = here | {"VersionId": version["VersionId"], "BypassGovernanceRetention": True}
    assert denies(s3.delete_object, **own)
    if server.name != "moto":
        soon = {"Mode": "COMPLIANCE", "RetainUntilDate": version["LastModified"] + timedelta(days=1)}
        assert denies(s3.put_object_retention, **own, Retention=soon)
        with pytest.raises(botocore.exceptions.ClientError, match="InvalidBucketState"):
            s3.put_bucket_versioning(Bucket=here["Bucket"], VersioningConfiguration={"Status": "Suspended"})


# The page


def test_the_page_names_every_file_and_statement():
    """Each statement of the bucket's policy is explained, and stands in the table of what was tried."""
    explained, tried = PAGE.split("## What was tried, and where")
    assert set(SIDS) == {each["Sid"] for each in policy("bucket")["Statement"]}
    for sid in SIDS:
        assert f"| `{sid}` |" in explained
        assert f"`{sid}`" in tried
    assert {f"{name}-policy.json" for name in (*ROLES, "bucket")} == {each.name for each in DEPLOY.glob("*.json")}
    for each in DEPLOY.glob("*.json"):
        assert f"| `{each.name}` |" in explained
    # there is no AWS here
    rows = re.findall(r"^\| .* \| .* \| .* \| (.*) \|$", tried, re.MULTILINE)[1:]
    assert len(rows) >= len(SIDS)
    assert all(row.startswith(("not tried", "---")) for row in rows)


def test_the_page_shows_how_to_set_up(set_up):
    """Its command is one that the program takes."""
    (command,) = re.findall(r"<!-- example: set-up -->\n +```console\n +\$ python (\S+) (.*)\n", PAGE)
    assert command[0] == "backfill/deploy/s3/set_up.py"
    words = command[1].split()
    done = set_up("--show", **{name[2:]: value for name, value in zip(words[::2], words[1::2], strict=True)})
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out).keys() == {*ROLES, "bucket"}
