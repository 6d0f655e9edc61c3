"""The scene: the service and the simulated vendor as processes, bounded, and ended with this one.

Owns: their configuration, their start and end. Must not know the consumers.
"""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target/consumers"
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "")
BINARY = Path(os.environ.get("ARGOS_RELAY_BIN", ROOT / "target/debug/argos-relay"))
PROJECTS = ("acme", "umbra")
TOKEN = "path-token-of-the-consumers-0001"
KEY = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567"
PARTITIONS = 4
# Seconds for one thing to come about, on a machine that is busy with much else.
PATIENCE = 400


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(what, is_so, seconds=PATIENCE):
    """What `is_so` says once that is anything; an error after `seconds`."""
    until = time.monotonic() + seconds
    while not (said := is_so()):
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.1)
    return said


def start(arguments, name, **environment):
    """A process whose output goes to files of that name under target/consumers."""
    with (WORK / f"{name}.out").open("w") as out, (WORK / f"{name}.err").open("w") as err:
        return subprocess.Popen(
            [str(one) for one in arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            env=os.environ | {name: str(value) for name, value in environment.items()},
        )


def output(name):
    return (WORK / f"{name}.out").read_text()


@contextlib.contextmanager
def ended(process):
    """Ends it, however this goes."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Service:
    """`argos-relay serve` on topics of its own, for two projects whose vendor is to come."""

    def __init__(self, prefix):
        self.ingest, self.admin = free_port(), free_port()
        self.vendor = {project: free_port() for project in PROJECTS}
        self.config = WORK / "relay.toml"
        projects = "".join(
            f"""
            [[projects]]
            id = "{project}"
            base_url = "http://127.0.0.1:{port}/v3"
            api_key = "{KEY}"
            requests_per_second = 500
            baseline = "events"
            webhook = {{ path_tokens = ["{TOKEN}"] }}
            rechecks = {{ ladder = ["200ms", "500ms", "1s", "3s"], pending = {{ first = "2s", cap = "4s" }} }}
            relooks = {{ decided = ["5s", "10s"] }}
            deletions = {{ confirm_after = "1s" }}
            """
            for project, port in self.vendor.items()
        )
        self.config.write_text(f"""
            [log]
            format = "json"
            [kafka]
            bootstrap_servers = "{BOOTSTRAP}"
            group_id = "{prefix}relay"
            topic_prefix = "{prefix}"
            instance_id = "consumers-0"
            partitions = {PARTITIONS}
            replication_factor = 1
            [ingest]
            listen = "127.0.0.1:{self.ingest}"
            [admin]
            listen = "127.0.0.1:{self.admin}"
            [personal_data]
            digest_key = "0123456789abcdef0123456789abcdef"
            {projects}
        """)

    def command(self, *arguments):
        """Runs `argos-relay ARGUMENTS` to its end; an error if it does not succeed."""
        subprocess.run([BINARY, *arguments, "--config", self.config], check=True, capture_output=True, timeout=PATIENCE)

    def serve(self):
        process = start([BINARY, "serve", "--config", self.config], "relay")

        def is_ready():
            if process.poll() is not None:
                raise RuntimeError(f"the service ended: {WORK}/relay.out, relay.err")
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=5).status == 200
            except (urllib.error.URLError, TimeoutError):
                return False

        wait_for("the service is ready", is_ready)
        return process

    def simulate(self, project, seed, submissions):
        """The vendor of one project; plays its lives and goes on answering."""
        return start(
            [BINARY, "simulate", "--listen", f"127.0.0.1:{self.vendor[project]}", "--project", project, "--api-key", KEY,
             "--token", TOKEN, "--target", f"http://127.0.0.1:{self.ingest}", "--seed", seed, "--submissions", submissions,
             "--scenario", Path(__file__).parent / "scenario.toml", "--truth", WORK / f"{project}.truth", "--stay"],
            f"vendor-{project}",
        )

    def truths(self, project):
        """What is true when all is played: the report on its output comes after the file."""
        wait_for(f"the lives of {project} are played", lambda: output(f"vendor-{project}"))
        return [json.loads(line) for line in (WORK / f"{project}.truth").read_text().splitlines()]
