"""The examples as processes, and what they print.

Owns: how each is started, with a group and a store for each run, and how its progress is seen from outside.
"""

import json
import sys

import service
from confluent_kafka.admin import AdminClient
from service import BOOTSTRAP, PARTITIONS, ROOT, WORK, output, start, wait_for

EXAMPLES = ROOT / "examples"
JAVA = [
    "java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
    "-cp", f"{EXAMPLES}/java/target/classes:{EXAMPLES}/java/target/libs/*",
]
CONSUMERS = {
    "java": [*JAVA, "Consumer"],
    "python": [sys.executable, EXAMPLES / "python/consumer.py"],
    "typescript": ["node", EXAMPLES / "typescript/build/consumer.js"],
    "go": [EXAMPLES / "go/build/consumer"],
    "rust": [ROOT / "target/debug/example-consumer"],
}


ADMIN = AdminClient({"bootstrap.servers": BOOTSTRAP})
# A JVM that was told to end says so, however well it ended.
FINE = (0, 143)


class Member:
    """A member of the group that one language has for one run."""

    def __init__(self, language, run, prefix, suffix="", **settings):
        self.group, self.name = f"{language}-{run}", f"{language}-{run}{suffix}"
        self.store = WORK / "stores" / self.group
        fixed = {"KAFKA_BOOTSTRAP": BOOTSTRAP, "TOPIC_PREFIX": prefix, "GROUP": self.group, "STORE": self.store}
        self.process = start(CONSUMERS[language], self.name, **(fixed | settings))

    def offsets(self):
        """Partition -> the offset that is saved; of those that have begun."""
        if self.process.poll() not in (None, *FINE):
            raise RuntimeError(f"{self.name} ended: {self.errors()}")
        saved = {}
        for file in self.store.glob("*.json"):
            fields = json.loads(file.read_text())
            saved[int(file.stem)] = fields.get("offset", fields.get("Offset"))
        return saved

    def has_begun(self):
        return len(self.offsets()) == PARTITIONS

    def wait_until_at(self, ends):
        reached = lambda: all(self.offsets().get(one, -1) >= end for one, end in ends.items())  # noqa: E731
        wait_for(f"{self.name} is at {ends}, was at {self.offsets()}", reached)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM: it leaves its group."""
        self.process.terminate()
        return self.told()

    def told(self):
        """The line that it prints at its end, as a dictionary."""
        code = self.process.wait(service.PATIENCE)
        line = output(self.name).strip()
        if code not in FINE or not line.startswith("digest="):
            raise RuntimeError(f"{self.name} ended with {code} and {line!r}: {self.errors()}")
        return dict(pair.split("=") for pair in line.split())

    def errors(self):
        return (WORK / f"{self.name}.err").read_text()[-2000:]


def members_at_work(group):
    """How many members of a group have partitions; 0 while it is not stable."""
    described = ADMIN.describe_consumer_groups([group])[group].result(30)
    if described.state.name != "STABLE":
        return 0
    return sum(bool(one.assignment.topic_partitions) for one in described.members)
