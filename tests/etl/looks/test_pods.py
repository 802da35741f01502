"""Containers' logs as Kubernetes names them: the workload's name, and the files of all its pods and no others."""

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from etl.looks import guess, identify, pods
from etl.raw.files import FilePattern, RawFile
from lake.partition import LATEST

UID, OTHER_UID = "0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679742540de944be07fc1f90ae7"
ID = "0123456789abcdef" * 4
WORKLOADS = [
    ("web-7d9f8b6c5-x2x9k", "web", "web-*-?????"),
    ("ingress-nginx-controller-6d675964ff-4xq7h", "ingress-nginx-controller", "ingress-nginx-controller-*-?????"),
    ("report-29384760-bqpz4", "report", "report-*-?????"),
    ("traefik-x7k2p", "traefik", "traefik-?????"),
    ("api-gateway-0", "api-gateway", "api-gateway-[0-9]*"),
    ("debug", "nginx", "debug"),
    ("2048-7d9f8b6c5-x2x9k", "nginx", "2048-*-?????"),
]


@pytest.mark.parametrize(("pod", "named", "pattern"), WORKLOADS)
def test_a_log_is_named_by_its_workload(pod: str, named: str, pattern: str) -> None:
    """And by the container, where the pod's name tells none; by both ways in which a node names logs."""
    of_pods, of_containers = f"/var/log/pods/shop_{pod}_{UID}/nginx/0.log", f"{pod}_shop_nginx-{ID}.log"
    assert pods.files_of(of_pods, ()) == f"/var/log/pods/shop_{pattern}_*/nginx/*.log*"
    assert pods.files_of(of_containers, ()) == f"{pattern}_shop_nginx-*.log"
    assert guess.name(of_pods) == guess.name(of_containers) == named


@pytest.mark.parametrize("pod", ["web-7d9f8b6c5-x2x9k", "traefik-x7k2p", "api-gateway-0"])
def test_a_pattern_has_the_name_too(pod: str) -> None:
    """The pattern that is printed for a log gets the name that the log got."""
    for path in (f"pods/shop_{pod}_{UID}/nginx/2.log.20260917-101010.gz", f"../{pod}_shop_nginx-{ID}.log"):
        assert guess.name(pods.files_of(path, ()) or "") == guess.name(path) != "web-7d9f8b6c5"


@pytest.mark.parametrize("name", ["access.log", "shop_web/nginx/0.log", "a_b_c.log", f"x_shop_{UID}/0.log"])
def test_other_names_are_none_of_kubernetes(name: str) -> None:
    """They are looked at as ever."""
    assert pods.files_of(name, ()) is pods.around(name) is pods.name(name) is None


def test_a_workload_whose_name_begins_alike_is_no_part_of_it() -> None:
    """As long as it is there when the log is looked at."""
    path = f"pods/shop_web-7d9f8b6c5-x2x9k_{UID}/nginx/0.log"
    other = f"pods/shop_web-admin-5c6d7f8b9-bqpz4_{OTHER_UID}/nginx/0.log"
    assert pods.files_of(path, [path, other]) == "pods/shop_web-?????????-?????_*/nginx/*.log*"
    assert pods.name("pods/shop_web-?????????-?????_*/nginx/*.log*") == "web"


def _log(begin: datetime) -> str:
    times = [begin + timedelta(minutes=n) for n in range(20)]
    return "".join(
        f"{each.isoformat()}.1Z stdout F 192.0.2.7 - - [{each:%d/%b/%Y:%H:%M:%S} +0000] "
        f'"GET / HTTP/1.1" 200 9 "-" "curl/8"\n'
        for each in times
    )


@pytest.mark.parametrize("given", range(5))
def test_identify_suggests_all_of_a_workloads_files(tmp_path: Path, given: int) -> None:
    """Of each pod, rotated ones and those of a restart too; not of another container, nor of another workload."""
    web = [f"pods/shop_web-7d9f8b6c5-{pod}_{uid}/nginx" for pod, uid in (("x2x9k", UID), ("bqpz4", OTHER_UID))]
    wanted = [
        f"{web[0]}/0.log.20260916-101010.gz",
        f"{web[0]}/0.log.20260916-160000",
        f"{web[0]}/0.log",
        f"{web[1]}/1.log",
        f"{web[1]}/0.log",
    ]
    others = [f"{web[0]}/sidecar/0.log", f"pods/shop_api-5c6d7f8b9-bqpz4_{OTHER_UID}/nginx/0.log"]
    for number, name in enumerate([*wanted, *others]):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = _log(datetime(2026, 9, 15, 10) + timedelta(hours=number)).encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    sample = identify.sample(RawFile(wanted[given], str(tmp_path / wanted[given]), None))
    found = identify.suggestion(identify.identify(sample)[0], sample, wanted[given], tmp_path)
    assert (found.settings["application"], found.settings["since"]) == ("web", "2026-09-15")
    read = FilePattern(found.settings["files"], tmp_path).find(LATEST)
    assert sorted(each.name for each in read) == sorted(wanted)
