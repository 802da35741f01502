"""What `backfill explain` says of a day's provenance."""

from datetime import date

from backfill.days import Day, State
from backfill.explain import Explanation, Published, lines
from lake.provenance import Provenance


def test_formats_and_requests_without_an_application_are_said():
    """Of a source with several formats each one's share, and how many requests its map has no rule for."""
    made = Provenance(
        *("requests", 1, "2026-09-17", "web", 0, (), 12, 10, 2, 0, "1", ()),
        unmapped=3,
        formats={"combined": 6, "common": 4},
    )
    day = Day(date(2026, 9, 17), State.THERE)
    said = [*lines(Explanation("RequestsDaily web", day, [Published("key", "00", made)], [], [], [], None, None))]
    assert (
        "10 requests, 2 rejects, 0 of other days; 3 of the requests have no application in the source's map"
        in ("\n".join(said))
    )
    assert "  requests by format: combined 6 (60.0%), common 4 (40.0%)" in said


def test_a_published_day_on_which_no_source_is_active_by_now_is_explained(in_project):
    """What it was made from then is told; there is nothing to restate it from."""
    of = ("--of", "ErrorRateDaily")
    assert in_project.run("backfill", "run", *of, "--start", "2015-05-17", "--stop", "2015-05-19").returncode == 0
    in_project.configure(web=in_project.source | {"since": "2015-05-18"})
    told = in_project.run("backfill", "explain", *of, "--date", "2015-05-17")
    assert (told.returncode, told.stderr) == (0, "")
    assert "It is there." in told.stdout
    assert "Made from: nothing by now: no source is active on it, see since and until in luigi.cfg" in told.stdout
    assert "To restate it" not in told.stdout
    assert "To restate it" in in_project.run("backfill", "explain", *of, "--date", "2015-05-18").stdout
