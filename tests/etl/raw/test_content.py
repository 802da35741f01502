"""A file is known by its content, whatever it is called, however compressed, and however it is read."""

import zlib

import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.raw.content import PREFIXES, ContentDigest, begins_alike
from lake.provenance import Content

DATA = bytes(n * n >> 3 & 255 for n in range(PREFIXES[1] + 5000))


def _content(data: bytes, *cuts: int) -> Content:
    digest, begin = ContentDigest(), 0
    for cut in (*sorted(cuts), len(data)):
        digest.update(memoryview(data)[begin:cut])
        begin = max(begin, cut)
    return digest.content()


@settings(deadline=None)
@given(st.integers(0, len(DATA)), st.lists(st.integers(0, len(DATA)), max_size=5))
def test_it_does_not_depend_on_how_it_is_read(size: int, cuts: list[int]) -> None:
    """Length, CRC-32 and XXH3 of all, and XXH3 of each prefix that it has."""
    data = DATA[:size]
    prefixes = tuple(xxhash.xxh3_64(data[:each]).hexdigest() for each in PREFIXES if each <= size)
    expected = Content(size, xxhash.xxh3_64(data).hexdigest(), zlib.crc32(data), prefixes)
    assert _content(data, *(min(cut, size) for cut in cuts)) == expected


def test_a_copy_goes_its_own_way() -> None:
    """What is added to one is not in the other."""
    digest = ContentDigest()
    digest.update(memoryview(DATA)[:5000])
    before = digest.copy()
    digest.update(memoryview(DATA)[5000:])
    assert before.content() == _content(DATA[:5000])
    assert digest.content() == _content(DATA)


def test_growth_is_told_from_change() -> None:
    """By the largest prefix that both have; below 4 KiB, only reading tells."""
    whole = _content(DATA)
    assert begins_alike(_content(DATA[:5000]), whole)
    assert begins_alike(whole, _content(DATA[: PREFIXES[1]]))
    assert begins_alike(_content(b"x" + DATA[1:5000]), whole) is False
    assert begins_alike(_content(DATA[: PREFIXES[1] - 1] + b"x" + DATA[: PREFIXES[0]]), whole) is False
    assert begins_alike(_content(DATA[:100]), whole) is None
    assert begins_alike(_content(DATA[:100]), _content(DATA[:100]))
    assert begins_alike(_content(DATA[:100]), _content(DATA[1:101])) is False
