"""`lake shell`, on a terminal and from a pipe."""

import os
import pty
import select
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from lake.commands import shell
from lake.lake import Lake, open_store
from lake.partition import Partition

OF_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)  # it is ignored by what runs in the background
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def project(make_project, publish, error_rates, day):
    """A project whose lake has one day of error rates."""
    made = make_project("asked")
    publish(Lake(open_store(str(made.folder / "lake"))), Partition("error_rate", 1, day), error_rates(shop=20))
    return made


def piped(project, text):
    """Run the shell with a text as its input."""
    return subprocess.run(
        ["lake", "shell"],
        cwd=project.folder,
        env=project.environment,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_statements_from_a_pipe_are_answered(project):
    """One after the other, over lines, semicolons in texts too; what has no answer is done silently."""
    done = piped(project, "select 'a;b' as first;\nset variable x = 7;\nselect getvariable('x')\n as second")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.index("a;b") < done.stdout.index("7")
    assert "lake>" not in done.stdout


def test_a_wrong_statement_from_a_pipe_ends_it(project):
    """With its reason; what comes after it is not run."""
    done = piped(project, "select 41 + 1 as x; select nothing from error_rate; select 'later' as y;")
    assert done.returncode == 1
    assert "42" in done.stdout
    assert "later" not in done.stdout
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr


class Terminal:
    """The shell on a terminal, as somebody sees it."""

    def __init__(self, project):
        self._here, there = pty.openpty()
        self._shell = subprocess.Popen(
            [sys.executable, "-c", OF_TERMINAL, "lake", "shell"],
            cwd=project.folder,
            env=project.environment,
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
        )
        os.close(there)
        self.seen = ""
        self._waited = 0

    def wait_for(self, text, seconds=30):
        """Read until a text is seen after what was waited for before."""
        deadline = time.monotonic() + seconds
        while text not in self.seen[self._waited :]:
            ready, _, _ = select.select([self._here], [], [], max(0, deadline - time.monotonic()))
            assert ready, self.seen
            self.seen += os.read(self._here, 65536).decode()
        self._waited = self.seen.index(text, self._waited) + len(text)

    def type(self, text, again_until=None):
        """Type; what may come too soon to be noticed, once a second until a text is seen."""
        os.write(self._here, text.encode())
        while again_until:
            try:
                self.wait_for(again_until, seconds=1)
                break
            except AssertionError:
                os.write(self._here, text.encode())

    def wait(self):
        """Return the exit code."""
        return self._shell.wait(30)

    def end(self):
        """End it, however far it is."""
        self._shell.kill()
        self._shell.wait()
        os.close(self._here)


@pytest.fixture
def terminal(project):
    """The shell on a terminal."""
    made = Terminal(project)
    yield made
    made.end()


def test_on_a_terminal(project, terminal):
    """A prompt; answers; a wrong statement and Ctrl-C don't end it; names are completed; Ctrl-D leaves with 0."""
    terminal.wait_for("lake> ")
    assert "Ctrl-D leaves" in terminal.seen
    terminal.type("select nothing from error_rate;\n")
    terminal.wait_for("Binder Error")
    terminal.wait_for("lake> ")
    terminal.type("select 1 +\n")
    terminal.wait_for("  ... ")
    terminal.type("\x03", again_until="lake> ")
    terminal.type("select server_error_r\t + 22 as x from error_rate;\n")
    terminal.wait_for("42")
    terminal.wait_for("lake> ")
    terminal.type("\x04")
    assert terminal.wait() == 0
    assert "Traceback" not in terminal.seen
    history = project.folder.parent / ".local/state/error-rate-lake/history"
    assert "select server_error_requests + 22" in history.read_text()


def test_a_running_query_is_interrupted(terminal):
    """Ctrl-C is said in a line, and the next statement is answered."""
    terminal.wait_for("lake> ")
    query = "select sum(a.range * b.range) from range(1000000) as a, range(1000000) as b;\n"
    for _ in range(10):  # Ctrl-C that comes before the query is read takes that from the terminal
        terminal.type(query)
        time.sleep(1)
        terminal.type("\x03")
        with suppress(AssertionError):
            terminal.wait_for("interrupted", seconds=3)
            break
    else:
        pytest.fail(terminal.seen)
    terminal.wait_for("lake> ")
    terminal.type("select 41 + 1 as x;\n")
    terminal.wait_for("42")
    assert "Traceback" not in terminal.seen
    assert "RuntimeError" not in terminal.seen


@pytest.mark.parametrize(
    ("begun", "rest"),
    [
        ("select 'a;", "b';"),
        ("select $$a;", "b$$;"),
        ("select 1 -- a;", "+ 41;"),
        ("select /* a;", "*/ 42; -- done"),
        ('select 7 as "a;', 'b";'),
        ("select 'é;", "é'\t; "),
    ],
)
def test_a_semicolon_in_a_text_ends_nothing(begun, rest):
    """Nor does one in a comment or a name, though the line ends there: the statement goes on."""
    assert not shell._is_complete(begun)  # noqa: SLF001 - each on a terminal would take long
    assert shell._is_complete(f"{begun}\n{rest}")  # noqa: SLF001


def test_a_text_over_two_lines(terminal):
    """On a terminal, a semicolon at the end of its first line is a part of it."""
    terminal.wait_for("lake> ")
    terminal.type("select 'a;\n")
    terminal.wait_for("  ... ")
    terminal.type("b' as text;\n")
    terminal.wait_for(r"a;\nb")
    terminal.wait_for("lake> ")
    assert "Error" not in terminal.seen


def test_ctrl_d_says_what_is_not_run(terminal):
    """A statement that no semicolon has ended yet is named."""
    terminal.wait_for("lake> ")
    terminal.type("select 41 + 1\n")
    terminal.wait_for("  ... ")
    terminal.type("\x04")
    terminal.wait_for("not run, since no semicolon ended it: select 41 + 1")
    assert terminal.wait() == 0
    assert "42" not in terminal.seen
