"""Lines that hosts have numbered: what never came is told, and nothing else is taken for a loss."""

import json
import random
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from etl.sources.completeness import Severity
from etl.steps.extract import extract_day
from etl.steps.sequences import Lost, _lives, lost_lines, told
from lake.contracts import contract
from lake.errors import ConfigError, InputError

DAY = date(2026, 9, 17)
NUMBER = (DAY - date(1970, 1, 1)).days
FIELDS = "time = dt, method = m, target = path, status = status"
SOURCE = {"format": "json", "files": "{YYYY}-{MM}-{DD}-*.log", "fields": FIELDS, "sequence": "hostname, sequence"}


def line(host, sequence, second=0, day="2026-09-17"):
    """Return a line of a host."""
    time = f"{day}T10:{second // 60:02}:{second % 60:02}Z"
    said = {"dt": time, "hostname": host, "sequence": sequence, "m": "GET", "path": "/", "status": 200}
    return json.dumps(said).encode() + b"\n"


@pytest.fixture
def lost(declare, tmp_path):
    """Returns what was lost of some lines."""

    def found(*lines, **settings):
        (tmp_path / "2026-09-17-a.log").write_bytes(b"".join(lines[::2]))
        (tmp_path / "2026-09-17-b.log").write_bytes(b"".join(lines[1::2]))
        source = declare(**(settings | {"files": SOURCE["files"]} if settings else SOURCE))
        return lost_lines(source, source.sequence, NUMBER, source.find_files(DAY))

    return found


def test_numbers_that_never_came_are_lost(lost):
    """Between the lowest and the highest of each host, whichever file has them, and in whichever order."""
    lines = [line("cp1", n, n // 10) for n in range(100, 200) if n not in {120, 121, 150}]
    lines += [line("cp2", n, n) for n in range(7, 20)]
    random.Random(1).shuffle(lines)  # noqa: S311 - an order
    assert lost(*lines) == [Lost("cp1", 3, 100)]


def test_a_new_start_is_no_loss(lost):
    """Of a counter that begins anew: high above, or while its numbers are still few."""
    first = [line("cp1", n, n % 60) for n in range(50_000, 50_050)]
    again = [line("cp1", n, 100 + n) for n in range(1, 31) if n != 9]
    thrice = [line("cp1", n, 200 + n) for n in range(1, 11)]
    assert lost(*first, *again, *thrice) == [Lost("cp1", 1, 50 + 30 + 10)]


def test_what_tells_nothing_is_left_out(lost):
    """A line that came twice, one without a number or a host, a reject, and one of another day."""
    lines = [line("cp1", n, n) for n in range(1, 11)]
    others = [
        line("cp1", 3, 3),
        line("cp1", None),
        line(None, 70),
        line("call me on 020 7946 0000", 1),
        line("cp1", "many"),
        line("cp1", -1),
        line("cp1", 10**30),
        line("cp1", 99, day="2026-09-18"),
        b"{\n",
    ]
    assert lost(*lines, *others) == []
    assert lost() == []


def test_texts_are_numbers_too(lost):
    """And lines between blanks have such fields as well."""
    assert lost(*(line("cp1", str(n), n) for n in (1, 2, 4))) == [Lost("cp1", 1, 4)]
    form = '$remote_addr [$time_local] "$request" $status $hostname $connection_requests'
    plain = (
        f'192.0.2.1 [17/Sep/2026:10:00:0{n} +0000] "GET / HTTP/1.1" 200 cp1 {n}\n'.encode() for n in (1, 2, 4, 5)
    )
    settings = {"format": "log_format", "log_format": form, "sequence": "hostname, connection_requests"}
    found = lost(*plain, **settings)
    assert found == [Lost("cp1", 1, 5)]


@pytest.mark.parametrize("seed", range(20))
def test_lives_are_found_whatever_their_order_at_once(seed):
    """Numbers of one start are together, though neighbours have changed places, and none is in two."""
    chance = random.Random(seed)  # noqa: S311 - cases
    numbers, sizes = [], [chance.randrange(1, 400) for _ in range(chance.randrange(1, 5))]
    for size in sizes:
        life = [*range(1, size + 1)]
        for place in range(0, size - 1, 2):
            if chance.random() < 0.3:
                life[place : place + 2] = life[place : place + 2][::-1]
        numbers += life
    found = [sorted(each.tolist()) for each in _lives(np.array(numbers, np.int64))]
    assert sorted(number for each in found for number in each) == sorted(numbers)
    assert all(len(set(each)) == len(each) for each in found)
    assert sum(each[-1] - each[0] + 1 - len(each) for each in found) <= len(sizes)


def test_what_is_said():
    """The hosts that lost most, and how many others."""
    assert told([]) == ""
    assert told([Lost("cp1", 1_200, 10_012)]) == "1,200 of 10,012 lines that cp1 numbered never came"
    many = [Lost(f"cp{n}", 10 - n, 100) for n in range(5)]
    assert told(many).endswith("8 of 100 lines that cp2 numbered, 13 of 2 other hosts never came")


def test_a_day_with_losses_says_so_or_waits(lake, declare, tmp_path):
    """Beside its rates; by luigi.cfg it fails."""
    (tmp_path / "2026-09-17-a.log").write_bytes(b"".join(line("cp1", n, n) for n in (1, 2, 4)))
    source = declare(**SOURCE, expected_hours="10")
    strict = replace(source, severities=replace(source.severities, lost_lines=Severity.FAIL))
    with pytest.raises(InputError, match=r"1 of 4 lines that cp1 numbered never came\. Bring what is missing"):
        extract_day(lake, strict, DAY)
    extract_day(lake, source, DAY)
    (partition,) = lake.latest_of_day(contract("requests"), DAY)
    assert lake.provenance(partition).incomplete == "1 of 4 lines that cp1 numbered never came"


@pytest.mark.parametrize("sequence", ["hostname", "a, b, c", "dt, sequence", ""])
def test_what_cant_be_meant_is_refused(declare, sequence):
    """Two fields, that are read for nothing else."""
    with pytest.raises((ConfigError, InputError), match="sequence"):
        declare(**{**SOURCE, "sequence": sequence})
