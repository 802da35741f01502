"""A draft: what a lake would become, seen by nobody until it is published."""

from dataclasses import replace
from datetime import date

import pytest

from lake.contracts import contract
from lake.draft import Draft
from lake.errors import PartitionExists, PartitionMissing
from lake.partition import Partition

ERROR_RATE = contract("error_rate")


FIRST = Partition("error_rate", 1, date(2015, 5, 17))
NEXT = replace(FIRST, dt=date(2015, 5, 18))


def files_of(lake, folder):
    """Yield each file of a folder of the lake, with when it was written; on S3, when it was stored."""
    for each in lake.store.objects(f"{folder}/", "", "~"):
        yield each.key, each.published


@pytest.fixture
def put(publish, error_rates):
    """Publishes a partition with so many errors, in a lake or in a draft."""
    return lambda lake, partition, errors: publish(lake, partition, error_rates(shop=errors))


@pytest.fixture
def published(lake, put):
    """A lake with one published day."""
    put(lake, FIRST, 1)
    return lake


@pytest.fixture
def draft(published, tmp_path):
    """A draft of that lake."""
    return Draft(published, tmp_path / "draft")


def test_a_draft_shows_what_is_published_and_what_it_made(draft, published, put):
    """Each once and in order, whichever of the two it lies in; the lake itself shows nothing of the draft."""
    assert put(draft, NEXT, 2) is True
    assert put(draft, NEXT, 2) is False
    assert draft.partitions(ERROR_RATE) == [FIRST, NEXT]
    assert draft.partitions_made == [NEXT]
    assert published.partitions(ERROR_RATE) == [FIRST]
    assert draft.exists(FIRST)
    assert draft.exists(NEXT)
    assert not published.exists(NEXT)
    keys = [key for key in draft.store.keys("", "", "~") if key.endswith(".parquet")]
    assert keys == [FIRST.key, NEXT.key]
    assert draft.store.exists(FIRST.key)
    assert draft.store.exists(NEXT.key)
    assert not draft.store.exists("error_rate/v1/nothing")
    assert draft.root == published.root


def test_each_part_of_a_draft_has_its_own_bytes(draft, published, put, tmp_path):
    """Digest, size and copy come from where the partition lies; one that is in neither is missing."""
    put(draft, NEXT, 2)
    copies = [draft.local_copy(each, tmp_path) for each in (FIRST, NEXT)]
    assert draft.sha256(FIRST) == published.sha256(FIRST) != draft.sha256(NEXT)
    sizes = {each.key: each.bytes for each in draft.store.objects("error_rate/", "v", "v~")}
    assert sizes == {FIRST.key: copies[0].stat().st_size, NEXT.key: copies[1].stat().st_size}
    with pytest.raises(PartitionMissing):
        draft.sha256(replace(NEXT, revision=1))


def test_what_is_published_is_not_drafted_anew(draft, put):
    """The same bytes as in the lake are no news, and others are refused at once, not at the end."""
    assert put(draft, FIRST, 1) is False
    with pytest.raises(PartitionExists):
        put(draft, FIRST, 2)
    assert draft.partitions_made == []


def test_a_draft_is_published_in_the_order_it_was_made_in(draft, published, put):
    """With the bytes that were seen in it; what is made from a partition comes after it."""
    restated = replace(FIRST, revision=1)
    put(draft, NEXT, 2)
    put(draft, restated, 3)
    assert draft.partitions_made == [NEXT, restated]
    digests = [draft.sha256(each) for each in (NEXT, restated)]
    draft.publish_all()
    assert [published.sha256(each) for each in (NEXT, restated)] == digests
    assert published.latest(ERROR_RATE) == [restated, NEXT]


def test_what_another_published_meanwhile_counts(draft, published, put):
    """The same bytes are as good as one's own; others are refused, and stay as they are."""
    put(draft, NEXT, 2)
    put(published, NEXT, 2)
    draft.publish_all()
    restated = replace(NEXT, revision=1)
    put(draft, restated, 3)
    put(published, restated, 4)
    before = published.sha256(restated)
    with pytest.raises(PartitionExists):
        draft.publish_all()
    assert published.sha256(restated) == before


def test_a_draft_that_was_refused_can_be_published_again(draft, published, put):
    """Its records are read-only by then, and the very files that the lake has: they are not written to again."""
    put(draft, NEXT, 2)
    draft.publish_all()
    records = dict(files_of(published, "_evidence"))
    draft.publish_all()
    assert dict(files_of(published, "_evidence")) == records
    assert len(records) == 4  # an intent and a publication each


def test_a_draft_stages_on_its_own_disk(draft, tmp_path):
    """Not in the lake, which is not written to before the end."""
    with draft.staging() as folder:
        assert folder.is_relative_to(tmp_path / "draft")
