"""What is beside the five consumers: the join of Kafka Streams, and the CloudEvents SDKs.

Owns: both comparisons. Each returns what is wrong, as texts.
"""

import json
import os
import subprocess
import sys
from datetime import datetime

import oracle
import spoil
from confluent_kafka import Producer
from fleet import EXAMPLES, JAVA
from service import BOOTSTRAP, PARTITIONS, PATIENCE, WORK

ROWS, FOREIGN = "rows.of.ours.v1", "rows.of.a.foreign.partitioner.v1"
READERS = {
    "java": [*JAVA, "CloudEvents"],
    "python": [sys.executable, EXAMPLES / "python/read_cloudevents.py"],
    "typescript": ["node", EXAMPLES / "typescript/build/cloudevents.js"],
    "go": [EXAMPLES / "go/build/cloudevents"],
}
CHECKS = 2 + 2 * len(READERS)


def run(command, name, **settings):
    """What a program prints."""
    environment = {"KAFKA_BOOTSTRAP": BOOTSTRAP, "STORE": str(WORK / "stores" / name), "GROUP": name} | settings
    with (WORK / f"{name}.err").open("w") as err:
        done = subprocess.run(
            [str(one) for one in command], env=os.environ | environment,
            stdout=subprocess.PIPE, stderr=err, timeout=PATIENCE,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{name} ended with {done.returncode}: {(WORK / f'{name}.err').read_text()[-2000:]}")
    return done.stdout.decode()


def streams(prefix, states):
    """Rows under the same keys, written by Java's default partitioner, join whole; those of another one do not."""
    live = {record.key: record.value for record in states}
    keys = sorted(key for key, value in live.items() if value)
    spoil.create(BOOTSTRAP, {ROWS: "delete", FOREIGN: "delete"}, PARTITIONS)
    file = WORK / "keys.txt"
    file.write_text("".join(f"{key}\n" for key in keys))
    run([*JAVA, "CoPartitioning", "write", ROWS, file], "streams-write")
    producer = Producer({"bootstrap.servers": BOOTSTRAP})  # librdkafka's own default: CRC32
    for key in keys:
        producer.produce(FOREIGN, b"a row", key)
    producer.flush(30)
    joined = {}
    for topic in (ROWS, FOREIGN):
        told = run([*JAVA, "CoPartitioning", "join", topic], f"streams-{topic}", TOPIC_PREFIX=prefix)
        joined[topic] = int(told.split("joined=")[1])
    print(f"\nKafka Streams: {joined[ROWS]} of {len(keys)} rows joined; of a foreign partitioner's {joined[FOREIGN]}")
    found = []
    if joined[ROWS] != len(keys):
        found.append(f"streams: {joined[ROWS]} of {len(keys)} rows joined")
    if not joined[FOREIGN] < len(keys):
        found.append("streams: rows of a foreign partitioner joined as well: this proves nothing")
    return found


def cloud_events(prefixes):
    """Each SDK reads every attribute of every event as it stands in the headers, and the data."""
    found = []
    for prefix in prefixes:
        records = oracle.read(BOOTSTRAP, prefix + spoil.EVENTS)
        right = sorted(plain(attributes_of(record)) for record in records)
        for language, command in READERS.items():
            lines = run(command, f"cloudevents-{prefix}{language}", TOPIC_PREFIX=prefix).splitlines()
            read = sorted(plain(json.loads(line)) for line in lines)
            differ = [(one, other) for one, other in zip(right, read) if one != other]
            counts = f"{len(read)} of {len(right)} events, {len(differ)} differ"
            print(f"CloudEvents SDK, {language:<12}{prefix:<10}{counts}")
            if len(read) != len(right) or differ:
                found.append(f"cloudevents {language} {prefix}: {len(read)} events, first difference {differ[:1]}")
    return found


def attributes_of(record):
    """The CloudEvents attributes in the headers, after the binding's own text."""
    attributes = {name[3:]: value for name, value in record.headers.items() if name.startswith("ce_")}
    return attributes | {"datacontenttype": record.headers["content-type"], "data": json.loads(record.value)}


def plain(event):
    """One text for equal events: `time` is an instant, which an SDK may write in its own way."""
    at = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    return json.dumps(event | {"time": at.timestamp()}, sort_keys=True)
