"""`[deliver.NAME]`: what luigi.cfg may say, and what it is told where it says something else."""

import pytest

from etl.deliver.deliveries import read_delivery
from lake import config
from lake.errors import ConfigError

TO = "postgresql://figures@db.example.org:5433/figures"


@pytest.fixture
def declared(tmp_path):
    """Reads the delivery `figures` of a luigi.cfg in which it says so."""

    def read(**values):
        text = "".join(f"{key} = {value}\n" for key, value in values.items())
        path = tmp_path / "luigi.cfg"
        path.write_text(f"[lake]\nroot = lake\n[deliver.figures]\n{text}")
        return read_delivery(config.read(path), "figures")

    return read


def test_a_delivery_is_read(declared):
    """Datasets in a list, from a day on; its place has neither user nor options."""
    found = declared(to=f"{TO}?sslmode=require", datasets="error_rate, status_mix", since="2026-09-01")
    assert (found.name, found.datasets, str(found.since)) == (
        "figures",
        ("error_rate", "status_mix"),
        "2026-09-01",
    )
    assert found.to == f"{TO}?sslmode=require"
    assert found.place == "postgresql://db.example.org:5433/figures"
    assert declared(to=TO, datasets="error_rate").since is None


def test_a_dataset_of_bigquery_may_be_in_a_place(declared):
    """Its place is without options."""
    found = declared(to="bigquery://my-project/figures_1?location=EU", datasets="error_rate")
    assert (found.scheme, found.place) == ("bigquery", "bigquery://my-project/figures_1")


def test_a_password_comes_from_the_environment(declared, monkeypatch):
    """Whatever is in it, it is a part of the URL; it is in no text of the delivery."""
    monkeypatch.setenv("SECRET", "p@ss/w%rd")
    found = declared(to="postgresql://figures:${SECRET}@db/figures", datasets="error_rate")
    assert found.to == "postgresql://figures:p%40ss%2Fw%25rd@db/figures"
    assert "w%25rd" not in repr(found) + found.place
    monkeypatch.setenv("DATABASE_URL", "postgres://figures:p%40ss@db/figures")
    assert declared(to="${DATABASE_URL}", datasets="error_rate").place == "postgres://db/figures"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"to": None}, "to is missing. Required: to, datasets."),
        ({"datasets": None}, "datasets is missing. Required: to, datasets."),
        ({"datasets": ","}, "datasets names none. There are: "),
        ({"datasets": "error_rates"}, "no dataset 'error_rates'. There are: "),
        ({"datasets": "error_rates"}, "Did you mean 'error_rate'?"),
        ({"datasets": "error_rate, error_rate"}, "datasets names error_rate twice."),
        (
            {"from": "2026-09-01"},
            "unknown key 'from'. Known keys: to, datasets, since.",
        ),
        (
            {"since": "1.9.2026"},
            "since = 1.9.2026: expected a day as YYYY-MM-DD",
        ),
        (
            {"to": "mysql://db/x"},
            "to = mysql://…: unknown scheme 'mysql'. Known: postgresql://…",
        ),
        ({"to": "postgresq://db/x"}, "Did you mean 'postgresql'?"),
        ({"to": "db.example.org"}, "to is no URL. Known: postgresql://…"),
        (
            {"to": "postgresql://db:port/x"},
            "it can't be read as a URL. Correct host",
        ),
        (
            {"to": "postgresql://u:secret@db/x"},
            "[deliver.figures] to holds a password. Write ${NAME}",
        ),
        ({"to": "postgresql://db/x?password=secret"}, "a password is no option of it."),
        ({"to": "postgresql://u:${UNSET}@db/x"}, "the environment has no UNSET."),
        ({"to": "mongodb://db:27017"}, "it names no database. Write mongodb://HOST/DATABASE."),
        ({"to": "mongodb+srv://db/?tls=true"}, "it names no database. Write mongodb+srv://HOST/DATABASE."),
        ({"to": "mongodb://a:27017,b:port/x"}, "it can't be read as a URL. Correct host"),
        ({"to": "mongodb://db/x?tlsCertificateKeyFilePassword=secret"}, "a password is no option of it."),
        ({"to": "bigquery://key@my-project/figures"}, "it names no user. Google's own files"),
        ({"to": "bigquery://my-project"}, "a dataset of BigQuery has A-Z, a-z, 0-9 and '_'. Expected bigquery://"),
        ({"to": "bigquery://my-project/a/b"}, "a dataset of BigQuery has"),
        ({"to": "bigquery://my-project/a`b"}, "a dataset of BigQuery has"),
        ({"to": "bigquery://My_Project/figures"}, "a project's id has 6 to 30 of a-z, 0-9 and '-'."),
        ({"to": "bigquery://my-project/figures?key=secret"}, "location is its only option."),
        ({"to": "bigquery://my-project/figures?location="}, "location is its only option."),
        ({"to": "${SECRET_URL}"}, "write @, /, # and % in user and password as %40"),
    ],
)
def test_what_is_wrong_is_named_without_what_may_be_secret(declared, monkeypatch, values, said):
    """The file, the section, the key and what is expected."""
    monkeypatch.setenv("SECRET_URL", "postgresql://u:sec@ret@db/x")
    monkeypatch.delenv("UNSET", raising=False)
    with pytest.raises(ConfigError) as error:
        declared(**{k: v for k, v in {"to": TO, "datasets": "error_rate", **values}.items() if v})
    assert said in str(error.value)
    assert "[deliver.figures]" in str(error.value)
    assert "luigi.cfg" in str(error.value)
    assert "secret" not in str(error.value)
    assert "sec@ret" not in str(error.value)


def test_a_replica_set_has_several_hosts(declared, monkeypatch):
    """Its place names them."""
    monkeypatch.setenv("SECRET", "p@ss/w%rd")
    found = declared(
        to="mongodb://figures:${SECRET}@a.example:27017,b.example:27018/figures?replicaSet=rs",
        datasets="error_rate",
    )
    assert found.place == "mongodb://a.example:27017,b.example:27018/figures"
    assert found.to.startswith("mongodb://figures:p%40ss%2Fw%25rd@a.example")
    assert "w%25rd" not in repr(found) + found.place


def test_a_name_that_is_none_is_said(tmp_path):
    """With those that there are, or with where one is shown."""
    path = tmp_path / "luigi.cfg"
    path.write_text(f"[lake]\nroot = lake\n[deliver.figures]\nto = {TO}\ndatasets = error_rate\n")
    with pytest.raises(ConfigError, match=r"has no \[deliver.figure\]. It has: figures. Did you mean 'figures'"):
        read_delivery(config.read(path), "figure")
    path.write_text("[lake]\nroot = lake\n")
    with pytest.raises(ConfigError, match=r"It has none; docs/how-to/deliver.md shows one"):
        read_delivery(config.read(path), "figures")
    path.write_text("[lake]\nroot = lake\n[Deliver.figures]\n")
    with pytest.raises(ConfigError, match=r"Did you mean \[deliver.figures\]"):
        config.read(path)
