"""Logs as Kubernetes names them: which workload a container's log is of, and the files of all pods of that one.

    pods/NAMESPACE_POD_UID/CONTAINER/0.log              and 0.log.20260917-101010.gz beside it
    containers/POD_NAMESPACE_CONTAINER-ID.log

A pod's name is the workload's and a random part, such as `-7d9f8b6c5-x2x9k` of a deployment and `-x2x9k` of a
daemon set, or a number, of a stateful set.
"""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase

from lake.partition import NAME

_WORD = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
OF_PODS = re.compile(
    rf"(?P<before>(?:.*/)?)(?P<namespace>[a-z0-9-]+)_(?P<pod>{_WORD})_[0-9a-f-]{{32,36}}/(?P<container>[a-z0-9-]+)"
    r"/(?:[0-9]+|\*)\.log(?:\.[^/]*|\*)?"
)
OF_CONTAINERS = re.compile(
    rf"(?P<before>(?:.*/)?)(?P<pod>{_WORD})_(?P<namespace>[a-z0-9-]+)_(?P<container>[a-z0-9-]+)-[0-9a-f]{{12,64}}\.log"
)
RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"  # what Kubernetes makes random names of
OF_DEPLOYMENT = re.compile(r"(?P<workload>.+)-(?=[a-z]*[0-9])(?P<hash>[a-z0-9]{6,10})-[a-z0-9]{5}")
OF_DAEMON_SET = re.compile(rf"(?P<workload>.+)-{RANDOM}{{5}}")
OF_STATEFUL_SET = re.compile(r"(?P<workload>.+)-[0-9]{1,4}")
SUGGESTED = re.compile(
    r"(?:.*/)?(?:[a-z0-9-]+_(?P<workload>[a-z0-9.-]+)-(?:(?:\*|\?{6,10})-\?{5}|\?{5}|\[0-9\]\*)_\*/[^/]+/\*\.log\*"
    r"|(?P<other>[a-z0-9.-]+)-(?:(?:\*|\?{6,10})-\?{5}|\?{5}|\[0-9\]\*)_[a-z0-9-]+_[a-z0-9-]+-\*\.log)"
)
"""The patterns of `files_of`."""


def around(path: str) -> str | None:
    """Return a pattern for all logs of a log's workload; None if Kubernetes doesn't name logs like this."""
    found = OF_PODS.fullmatch(path)
    if found:
        return f"{found['before']}*/{found['container']}/*"
    return f"{found['before']}*" if (found := OF_CONTAINERS.fullmatch(path)) else None


def files_of(path: str, others: Collection[str]) -> str | None:
    """Return the pattern for the logs of all pods of a workload; None as `around`.

    Args:
        path: One of its logs.
        others: Logs that are there, of this workload and of others.
    """
    found = OF_PODS.fullmatch(path) or OF_CONTAINERS.fullmatch(path)
    if not found:
        return None
    pattern = _pattern(found, _any_pod(found["pod"]))
    same = _workload(found["pod"])
    of_others = (OF_PODS.fullmatch(each) or OF_CONTAINERS.fullmatch(each) for each in others)
    strange = any(each and fnmatchcase(each[0], pattern) and _workload(each["pod"]) != same for each in of_others)
    return _pattern(found, _any_pod(found["pod"], is_exact=True)) if strange else pattern


def name(path: str) -> str | None:
    """Return the name of the workload, or else of the container, that a log or a pattern of `files_of` is of."""
    suggested = SUGGESTED.fullmatch(path)
    if suggested:
        return _checked(suggested["workload"] or suggested["other"])
    found = OF_PODS.fullmatch(path) or OF_CONTAINERS.fullmatch(path)
    if not found:
        return None
    return _checked(_workload(found["pod"])) or _checked(found["container"])


def _checked(text: str | None) -> str | None:
    return text if text and NAME.fullmatch(text) else None


def _workload(pod: str) -> str | None:
    """Return the name of what a pod is of, None if its name doesn't tell it."""
    found = OF_DEPLOYMENT.fullmatch(pod) or OF_DAEMON_SET.fullmatch(pod) or OF_STATEFUL_SET.fullmatch(pod)
    return found["workload"] if found else None


def _any_pod(pod: str, *, is_exact: bool = False) -> str:
    """Return a pattern for the names of all pods of a pod's workload.

    Args:
        pod: The pod's name.
        is_exact: Whether the workload's other revisions have to have a part as long as this one's, as `web-*` is
            also for those of `web-admin`.
    """
    if found := OF_DEPLOYMENT.fullmatch(pod):
        return f"{found['workload']}-{'?' * len(found['hash']) if is_exact else '*'}-?????"
    if found := OF_DAEMON_SET.fullmatch(pod):
        return f"{found['workload']}-?????"
    return f"{found['workload']}-[0-9]*" if (found := OF_STATEFUL_SET.fullmatch(pod)) else pod


def _pattern(found: re.Match[str], pods: str) -> str:
    before, namespace, container = found["before"], found["namespace"], found["container"]
    if found.re is OF_PODS:
        return f"{before}{namespace}_{pods}_*/{container}/*.log*"
    return f"{before}{pods}_{namespace}_{container}-*.log"
