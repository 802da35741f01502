"""Postgres to test against: Debian's own binaries, on this machine only.

`apt-get install postgresql` brings them.
"""

import os
import subprocess
from pathlib import Path

USER, PASSWORD = "deliverer", "s3cr@t/:%pw"
NOBODY = 65_534


def binaries() -> Path | None:
    """Return the folder of the newest server's binaries, None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


class Server:
    """A server with its data in a folder; it can be stopped and started.

    Attributes:
        port: Where it listens on 127.0.0.1; there is no other way in.
        ca: Its certificate, None where it doesn't speak TLS.
    """

    def __init__(self, folder: Path, bin_folder: Path, port: int, certificate: Path | None = None) -> None:
        """Begin it; the folder `certificate` has its own, `ca.pem`, and the key, `key.pem`."""
        self.port = port
        self.ca = certificate / "ca.pem" if certificate else None
        self._folder, self._bin = folder, bin_folder
        folder.mkdir(parents=True)
        if os.geteuid() == 0:  # which Postgres refuses to run as
            os.chown(folder, NOBODY, NOBODY)
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            "initdb",
            "-D",
            "data",
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "--pwfile=password",
            "-N",
            "-E",
            "UTF8",
            "--locale=C",
        )
        if certificate:
            for name, mode in (("ca.pem", 0o644), ("key.pem", 0o600)):
                made = folder / "data" / name
                made.write_bytes((certificate / name).read_bytes())
                made.chmod(mode)
                if os.geteuid() == 0:
                    os.chown(made, NOBODY, NOBODY)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = f"-h 127.0.0.1 -p {self.port} -c unix_socket_directories= -c fsync=off"
        if self.ca:
            settings += " -c ssl=on -c ssl_cert_file=ca.pem -c ssl_key_file=key.pem"
        self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", settings, "start")

    def stop(self) -> None:
        """End it at once; connections are cut."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")

    def _run(self, name: str, *arguments: str) -> None:
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
        # pg_ctl's server keeps what it is given for its output
        with (self._folder.parent / f"{self._folder.name}.out").open("ab") as said:
            subprocess.run(
                [*user, str(self._bin / name), *arguments],
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "LC_ALL": "C"},
                stdout=said,
                stderr=said,
                check=True,
                timeout=120,
            )
