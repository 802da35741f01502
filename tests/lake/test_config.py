"""luigi.cfg: what is read from it, and what is refused."""

import pytest

from lake import config
from lake.errors import ConfigError
from lake.lake import Lake


@pytest.fixture
def write(tmp_path):
    """Writes luigi.cfg and returns its path."""

    def written(text):
        path = tmp_path / "luigi.cfg"
        path.write_text(text)
        return path

    return written


def test_the_one_in_the_current_folder_is_found(write, monkeypatch):
    """Without LUIGI_CONFIG_PATH, luigi.cfg in the current folder counts."""
    path = write("[lake]\nroot = lake\n")
    monkeypatch.delenv("LUIGI_CONFIG_PATH", raising=False)
    monkeypatch.chdir(path.parent)
    assert config.find() == path


def test_luigi_config_path_goes_first(write, monkeypatch, tmp_path):
    """LUIGI_CONFIG_PATH counts before the current folder, as with Luigi, and may be relative."""
    write("[lake]\nroot = lake\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.cfg").touch()
    monkeypatch.setenv("LUIGI_CONFIG_PATH", "other.cfg")
    assert config.find() == tmp_path / "other.cfg"


def test_a_missing_file_is_named(monkeypatch, tmp_path):
    """Where there is no luigi.cfg, the message names the path and both remedies."""
    monkeypatch.delenv("LUIGI_CONFIG_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"Change to the folder .* or set LUIGI_CONFIG_PATH") as refusal:
        config.find()
    assert str(tmp_path / "luigi.cfg") in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("root = hidden\n", "line 1 stands in no section"),
        ("[lake]\nroot = a\nroot = b\n", "option 'root' in section 'lake' already exists"),
        ("[lake]\n[lake]\n", "section 'lake' already exists"),
        ("[lake]\nroot hidden\n", "line 2 is neither a section nor a key with its value"),
    ],
)
def test_a_malformed_file_is_refused(write, text, reason):
    """What is no INI file is refused in one line that names the file and the reason."""
    path = write(text)
    with pytest.raises(ConfigError) as refusal:
        config.read(path)
    assert str(path) in str(refusal.value)
    assert reason in str(refusal.value)
    assert "hidden" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", ["s3://KEY:hidden@bucket/x", "https://u:hidden@h", "http://u:hidden@h ; note"])
def test_credentials_in_a_value_are_refused_and_not_repeated(write, value):
    """Whichever key they are put into, and whatever else is wrong with it."""
    with pytest.raises(ConfigError, match=r"\[lake\] root holds credentials. Put them where boto3") as refusal:
        config.read(write(f"[lake]\nroot = {value}\n")).section("lake")
    assert "hidden" not in str(refusal.value)


def test_a_zero_byte_in_a_value_is_refused(write):
    """No file's name can have one: the operating system's own error would name neither file nor key."""
    with pytest.raises(ConfigError, match=r"luigi\.cfg, \[lake\] root holds a zero byte\. Take it out"):
        config.read(write("[lake]\nroot = a\0b\n")).section("lake")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    """Bytes that are not UTF-8 are refused by name, without a traceback of the decoder."""
    (tmp_path / "luigi.cfg").write_bytes(b"[lake]\nroot = \xff\n")
    with pytest.raises(ConfigError, match=r"luigi\.cfg: 'utf-8' codec"):
        config.read(tmp_path / "luigi.cfg")


def test_values_are_taken_as_written(write):
    """`%` and `$` mean nothing special but in paths, and no section lends its values to another."""
    shape = "$remote_addr ${status} %(x)s"
    found = config.read(
        write(f"[DEFAULT]\nroot = other\n[lake]\nroot = 100%/#1$\nlog_format = {shape}\n[empty]\n")
    )
    assert found.section("lake") == {"root": "100%/#1$", "log_format": shape}
    assert found.section("empty") == {}


@pytest.mark.parametrize("value", ["lake ; on disk", "lake # on disk", "lake\t;x"])
def test_a_comment_behind_a_value_is_refused(write, value):
    """Luigi would read the comment as part of the value, so it is refused rather than guessed at."""
    with pytest.raises(ConfigError, match=r"luigi.cfg, \[lake\] root = lake.*line of its own"):
        config.read(write(f"[lake]\nroot = {value}\n")).section("lake")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[core]\n", r"has no section \[lake\]"),
        ("[lake]\n", r"\[lake\]: no root\. Known keys: root, endpoint_url, copy_mb"),
        ("[lake]\nroot =\n", r"\[lake\]: no root"),
        (
            "[lake]\nroot = lake\nroots = x\n",
            r"\[lake\]: unknown key 'roots'\. Known keys: root, endpoint_url, copy_mb\. Did you mean 'root'\?",
        ),
        ("[lake]\nroot = gs://bucket\n", r"gs://bucket: expected a folder or s3://bucket/prefix"),
        ("[lake]\nroot = s3://\n", "s3:// names no bucket"),
        ("[lake]\nroot = s3://bucket\nendpoint_url = localhost\n", "Invalid endpoint: localhost"),
        ("[lake]\nroot = lake/dt=2015-05-17\n", "'/dt=' in it would mislead readers"),
        ("[lake]\nroot = s3://bucket/rev=1/lake\n", "'/rev=' in it would mislead readers"),
        ("[lake]\nroot = lake-*\n", r"'\*' in it would mislead readers"),
    ],
)
def test_a_lake_that_can_not_be_told_is_refused(write, text, reason):
    """A `[lake]` that is missing, incomplete, misspelt or names no place is refused with what was expected."""
    with pytest.raises(ConfigError, match=reason):
        Lake.of(config.read(write(text)))


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("var/lake", "{folder}/var/lake"),
        ("./var/../lake/", "{folder}/lake"),
        ("/srv/lake/", "/srv/lake"),
        ("~/lake", "{home}/lake"),
        ("s3://bucket/prefix/", "s3://bucket/prefix"),
    ],
)
def test_a_relative_root_is_relative_to_luigi_cfg(write, monkeypatch, root, expected):
    """The lake is the same one whatever the current folder is."""
    path = write(f"[lake]\nroot = {root}\n")
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert Lake.of(config.read(path)).root == expected.format(folder=path.parent, home="/home/someone")


def test_variables_of_the_environment_are_put_into_paths(write, monkeypatch):
    """As Luigi does in its own values; what is put in is not looked through again."""
    monkeypatch.setenv("LOGS", "/srv/${X}$Y")
    found = config.read(write("[lake]\nroot = ${LOGS}/lake\n[source.web]\nfiles = a${LOGS}/{YYYY}\n"))
    assert found.section("lake") == {"root": "/srv/${X}$Y/lake"}
    assert found.section("source.web") == {"files": "a/srv/${X}$Y/{YYYY}"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("${GONE}/lake", "the environment has no GONE. Set it, also for cron"),
        ("${EMPTY}/lake", "the environment has no EMPTY"),
        ("$HOME/lake", "write ${HOME} for the variable of the environment"),
        ("a/${HOME/lake", "write ${HOME} for the variable of the environment"),
        ("%(here)s/lake", "no value is put in for %(…)s here"),
        ("~nobody-has-this-name/lake", "there is no such home"),
        ('"lake"', "take the quotation marks away"),
        ("'lake'", "take the quotation marks away"),
    ],
)
@pytest.mark.parametrize("place", ["lake root", "source.web files", "source.web root"])
def test_what_is_not_put_in_is_no_folder_s_name(write, monkeypatch, place, value, reason):
    """Neither for the lake nor for raw logs; the message has the file, the section and the key."""
    section, key = place.split()
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("GONE", raising=False)
    with pytest.raises(ConfigError) as refusal:
        config.read(write(f"[{section}]\n{key} = {value}\n")).section(section)
    assert f"luigi.cfg, [{section}] {key} = {value}: {reason}" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("Source.x", "source.x"),
        ("sources.x", "source.x"),
        ("source x", "source.x"),
        ("source:x", "source.x"),
        ("soruce.x", "source.x"),
        ("source", "source.NAME"),
        ("src.x", "source.x"),
        ("slo web", "slo.web"),
        ("slo.", "slo.NAME"),
        ("source.", "source.NAME"),
        ("SLO.web", "slo.web"),
        ("completenes", "completeness"),
        ("Completeness", "completeness"),
        ("extration", "extraction"),
        ("back-fill", "backfill"),
        ("lakes", "lake"),
    ],
)
def test_a_section_that_is_nearly_ours_is_refused(write, name, right):
    """Whatever is misspelt, it would else be left out silently."""
    with pytest.raises(ConfigError, match=rf"luigi\.cfg has a section \[{name}\], .* mean \[{right}\]\?"):
        config.read(write(f"[lake]\nroot = lake\n[{name}]\n"))


def test_sections_of_luigi_and_of_other_tasks_are_theirs(write):
    """All that Luigi knows, and the tasks that somebody has beside ours."""
    luigis = (
        "core worker scheduler retcode resources email execution_summary logging batch_notifier smtp hadoop "
        "hdfs hive kubernetes mysqldb postgres redshift s3 sge spark pyspark task_history webhdfs scalding "
        "salesforce sendgrid dropbox datadog beam_dataflow"
    )
    luigi = pytest.importorskip("luigi")
    families = {each.partition(".")[0] for each in luigi.task_register.Register.task_names()}
    names = {*luigis.split(), *families, "MyTask", "sales.Orders", "RangeHourly", "worker_1"}
    text = "".join(f"[{each}]\nx = 1\n" for each in sorted(names))
    assert config.read(write(text)).sections.keys() == names


def test_toml_is_refused(tmp_path):
    """A value would else have its quotation marks in it."""
    with pytest.raises(ConfigError, match=r"luigi\.toml is TOML, which is not read here"):
        config.read(tmp_path / "luigi.toml")


@pytest.mark.parametrize("text", ["", "1", "11", "2.5", "-3", "٣", "9" * 5000])
def test_a_number_outside_its_bounds_is_refused(text):
    """The message has key and bounds; the bounds themselves are inside."""
    with pytest.raises(ConfigError, match=r"^days = .*: expected a whole number, 2 to 10\.$"):
        config.whole_number("days", text, 2, 10)
    assert [config.whole_number("days", each, 2, 10) for each in ("2", "010")] == [2, 10]
