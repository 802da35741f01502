"""Lines that several files have: each file's are told that an earlier one has as often."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from etl.raw.doubled import doubled_lines
from etl.raw.files import RawFile


@given(st.lists(st.lists(st.sampled_from([b"a", b"b", b"c", b""]), max_size=6), max_size=5))
def test_a_line_is_left_out_as_often_as_an_earlier_file_has_it(tmp_path_factory, texts: list[list[bytes]]) -> None:
    """So that of all files a line is there as often as in the one that has it most often."""
    folder: Path = tmp_path_factory.mktemp("doubled")
    files, wanted = [], []
    most: Counter[bytes] = Counter()
    for number, text in enumerate(texts):
        path = folder / f"{number}.log"
        path.write_bytes(b"\n".join([*text, b""]))
        files.append(RawFile(path.name, str(path), None))
        here: Counter[bytes] = Counter()
        wanted.append([])
        for place, line in enumerate(text):
            if here[line] < most[line]:
                wanted[-1].append(place)
            here[line] += 1
        most |= here
    assert [each.tolist() for each in doubled_lines(files)] == wanted
