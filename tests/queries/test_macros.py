"""Macros: what metrics and questions share."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.lines.privacy import clean_path


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (0, 10, 0, 0.2775),
        (1, 3, 0.0615, 0.7923),
        (1, 1000, 0.00018, 0.00564),
        (50, 1000, 0.0381, 0.0653),
        (10, 10, 0.7225, 1),
    ],
)
def test_wilson_interval_of_known_shares(catalog, hits, total, low, high):
    """The interval is the one that textbooks give."""
    with catalog() as connection:
        found = connection.execute("select wilson_low($1, $2), wilson_high($1, $2)", [hits, total]).fetchone()
    assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilson_interval_of_nothing_is_null(catalog):
    """No requests, no interval."""
    with catalog() as connection:
        assert connection.execute("select wilson_low(0, 0), wilson_high(0, 0)").fetchone() == (None, None)


def test_rate_and_interval_are_three_columns(catalog):
    """Named as the contract names them; nothing is a rate of no requests."""
    with catalog() as connection:
        found = connection.execute(
            "select unnest(rate_and_interval(errors, total)) from (values (1, 4), (0, 0)) counts (errors, total)"
        )
        names = [column[0] for column in found.description]
        assert names == ["error_rate", "error_rate_low", "error_rate_high"]
        some, none = found.fetchall()
        interval = connection.execute("select wilson_low(1, 4), wilson_high(1, 4)").fetchone()
    assert (some, none) == ((0.25, *interval), (None, None, None))


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 10**12)), min_size=1, max_size=50))
def test_wilson_interval_holds_the_share(catalog, pairs):
    """Whatever the counts, 0 <= low <= share <= high <= 1."""
    table = pa.table({"hits": [min(pair) for pair in pairs], "total": [max(pair) for pair in pairs]})
    query = "select wilson_low(hits, total), hits / total, wilson_high(hits, total) from shares"
    with catalog(shares=table) as connection:
        found = connection.execute(query).fetchall()
    assert all(0 <= low <= share <= high <= 1 for low, share, high in found)


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("*", "*"),
        ("/guidance/apply-for-a-visa", "/guidance/apply-for-a-visa"),
        ("/guidance/how-to-apply-2019", "/guidance/how-to-apply-2019"),
        ("/guidance/form-p45/covid19", "/guidance/form-p45/covid19"),
        ("/api/v1/iso27001", "/api/v1/iso27001"),
        ("/orders/7", "/orders/{number}"),
        ("/orders/7/8/9/", "/orders/{number}/{number}/{number}/"),
        ("//7//8", "//{number}//{number}"),
        ("/2019/05/17/budget", "/{number}/{number}/{number}/budget"),
        ("/archive/2019-05-17", "/archive/{number}"),
        ("/archive/2019-05-17.csv", "/archive/{number}.csv"),
        ("/map/51.5,-0.12", "/map/{number}"),
        ("/jquery/1.2.3/jquery-1.2.3.min.js", "/jquery/{number}/jquery-1.2.3.min.js"),
        ("/jquery/1.2.3-min.js", "/jquery/1.2.3-min.js"),
        ("/orders/order-12345", "/orders/order-{number}"),
        ("/img_20190517.jpg", "/img_{number}.jpg"),
        ("/img_0001.jpg", "/img_0001.jpg"),
        ("/a%20b/%2012345/c%2C7", "/a%20b/%20{number}/c%2C7"),
        ("/main.8f3b2a1c.js", "/main.{token}.js"),
        ("/app-3f2a9c1b7d.css", "/app-{token}.css"),
        ("/watch/dQw4w9WgXcQ", "/watch/{token}"),
        ("/cus_9s6XKzkNRiz8i3", "/cus_{token}"),
        ("/icon-120x120.png", "/icon-120x120.png"),
        ("/x/550e8400-e29b-41d4-a716-446655440000/y", "/x/{token}/y"),
        ("/users/{email}/{token}/{address}", "/users/{email}/{token}/{address}"),
        ("/users/{number}-12/{number}", "/users/{number}/{number}"),
        ("/<1a2b3c>/_<d>_1", "/<1a2b3c>/_<d>_1"),
        (None, None),
    ],
)
def test_a_path_has_a_template(catalog, path, template):
    """Numbers and ids are placeholders; pages, versions and files keep their names."""
    with catalog() as connection:
        assert connection.execute("select path_template($1)", [path]).fetchone() == (template,)


PARTS = st.sampled_from(
    [
        *(
            "/",
            "/",
            "//",
            "-",
            "_",
            ".",
            ",",
            ":",
            ";",
            "~",
            "+",
            "%20",
            "%2F",
            "%",
            "{",
            "}",
            "<",
            ">",
            "\\1",
            "$",
        ),
        *("1", "12", "2019", "12345", "a", "ab", "abcdefgh", "x1", "A7b8C9d0", "<1a2b3c4d>", "json", "number"),
        *("{number}", "{token}", "{email}", "550e8400-e29b-41d4-a716-446655440000"),
    ]
)
PATHS = st.lists(PARTS, max_size=12).map("".join) | st.text(st.characters(min_codepoint=33, max_codepoint=126))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.lists(PATHS, min_size=20, max_size=200))
def test_a_template_is_its_own_template(catalog, paths):
    """Whatever the path; with as many segments, the same if it has no digit, and with nothing to be masked."""
    query = "select path, path_template(path), path_template(path_template(path)) from paths"
    kept = [clean_path(f"/{each}".encode()) for each in paths]
    with catalog(paths=pa.table({"path": [*(f"/{each}" for each in paths), *kept]})) as connection:
        for n, (path, template, again) in enumerate(connection.execute(query).fetchall()):
            assert again == template, path
            assert n < len(paths) or clean_path(template.encode()) == template, path
            assert template.count("/") == path.count("/")
            assert template == path or set("0123456789{") & {*path}


@pytest.mark.parametrize(
    "path",
    [
        "/u/550e8400-e29b-41d4-a716-446655440000/7",
        "/u/5f4dcc3b5aa765d61d8327deb882cf99/7",
        "/u/123456789/7",
        "/u/2019-05-17-12/7",
        "/u/order-123456789",
    ],
)
def test_a_path_has_the_template_that_it_has_masked(catalog, path):
    """So what is asked for by hand is found."""
    masked = clean_path(path.encode())
    assert masked != path
    with catalog() as connection:
        found = connection.execute("select path_template($1), path_template($2)", [path, masked]).fetchone()
    assert found[0] == found[1]
