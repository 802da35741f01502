"""Processes that publish the same partitions at the same time: `racer.py ROOT ENDPOINT_URL same|different NUMBER`.

Prints a line of JSON for each attempt: the partition's number, the process's number, and what came of it.
"""

import hashlib
import json
import multiprocessing
import os
import sys
from datetime import date, timedelta
from threading import Barrier

from lake.errors import PartitionExists
from lake.lake import Lake, open_store
from lake.partition import Partition
from lake.store.protocol import StagedFile

RACERS = 8


def race(racer: int, barrier: Barrier) -> None:
    """Publish each partition when all racers are ready to."""
    root, endpoint_url, contents, number = sys.argv[1:]
    lake = Lake(open_store(root, endpoint_url or None))
    for n in range(int(number)):
        with lake.staging() as folder:
            content = f"{n} by {racer if contents == 'different' else 'all'}".encode()
            path = folder / "racing.unfinished"
            path.write_bytes(content)
            file = StagedFile(path, hashlib.sha256(content).hexdigest(), len(content))
            barrier.wait(timeout=60)
            try:
                outcome = str(lake.publish(Partition("raced", 1, date(2015, 5, 17) + timedelta(n)), file))
            except PartitionExists:
                outcome = "PartitionExists"
        os.write(1, json.dumps([n, racer, outcome]).encode() + b"\n")


def main() -> None:
    """Start the racers and fail if one of them does."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lake.lake", "lake.store.local", "lake.store.s3"])
    barrier = context.Barrier(RACERS)
    racers = [context.Process(target=race, args=(n, barrier)) for n in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    sys.exit(any(racer.exitcode for racer in racers))


if __name__ == "__main__":
    main()
