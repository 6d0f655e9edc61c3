"""A consumer of argos-relay's topics in Python, with confluent-kafka.

Owns two things: what is true now (the state topic, which every member reads whole) and what happened (the events, which
the members of a group share). Must not know the service: only the contract (docs/contract.md).

Path: note the events' ends, read the state topic to its end, join the group. Each batch of events is saved together
with its offset, so that after a crash nothing is handled twice or left out. Settings: see examples/README.md.
"""

import json
import os
import signal
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from contract.approved import KycSubmissionApprovedV1
from digest import report
from state import States

PREFIX = os.environ.get("TOPIC_PREFIX", "")
EVENTS, STATE = f"{PREFIX}kyc.submission.events.v1", f"{PREFIX}kyc.submission.state.v1"
GROUP = os.environ.get("GROUP", "example-python")
STORE = Path(os.environ.get("STORE", "store"))
HISTORY, UNTIL_END = bool(os.environ.get("HISTORY")), bool(os.environ.get("UNTIL_END"))


def consumer(group):
    return Consumer({
        "bootstrap.servers": os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092"),
        "group.id": group, "isolation.level": "read_committed", "enable.auto.commit": False,
        "auto.offset.reset": "earliest", "enable.partition.eof": True, "session.timeout.ms": 6000,
    })


def ends(client, topic):
    """Partition -> the end as a read_committed consumer sees it: before what an open transaction has written."""
    partitions = client.list_topics(topic, 10).topics[topic].partitions
    return {p: client.get_watermark_offsets(TopicPartition(topic, p), 10)[1] for p in partitions}


class Handled(dict):
    """What was handled of one partition: its offset, each submission's last sequence, the ids, the counts."""

    @classmethod
    def read(cls, partition):
        file = STORE / f"{partition}.json"
        return cls(json.loads(file.read_text()) if file.exists() else {"offset": -1, "last": {}, "count": {}})

    @classmethod
    def open(cls, partition, states, end):
        """As it was saved; else from the noted end on, or with HISTORY from the beginning, when nothing was known."""
        handled = cls.read(partition)
        if handled["offset"] < 0:
            here = (key for key in states.rows if states.partition[key] == partition)  # the same number on both topics
            known = {} if HISTORY else {key: states.rows[key].sequence for key in here}
            count = dict.fromkeys(("events", "approvals", "duplicates", "older", "gaps"), 0)
            handled = cls(offset=0 if HISTORY else end, last=known, ids={}, count=count)
            handled.save(partition)
        return handled

    def save(self, partition):
        """All or nothing: the new file replaces the old one. In earnest, this is your database's transaction."""
        new = STORE / f"{partition}.{os.getpid()}"
        new.write_text(json.dumps(self))
        new.replace(STORE / f"{partition}.json")

    def take(self, message):
        header = {name: value.decode() for name, value in message.headers()}
        key, sequence, count = message.key().decode(), int(header["ce_sequence"]), self["count"]
        if header["ce_id"] in self["ids"]:
            count["duplicates"] += 1
            return
        self["ids"][header["ce_id"]] = 1
        last = self["last"].get(key)
        if last is None:  # new to us: its first event, unless it was deleted before we began and has come back
            previous = json.loads(message.value()).get("previous") or {}
            last = sequence - 1 if previous.get("kyc_status") == "deleted" else 0
        if sequence <= last:  # the state that we began with has it already
            count["older"] += 1
            return
        count["gaps"] += sequence > last + 1
        self["last"][key] = sequence
        count["events"] += 1
        if header["ce_type"] == "kyc.submission.approved.v1":  # here an application would act; other types it ignores
            event = KycSubmissionApprovedV1.model_validate_json(message.value())
            count["approvals"] += f"{event.submission.project}/{event.submission.id}" == key


def main():
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    STORE.mkdir(parents=True, exist_ok=True)
    client, owned = consumer(GROUP), {}
    end = ends(client, EVENTS)
    states = States(consumer(f"{GROUP}-state"), STATE, ends(client, STATE))  # no member of a group: assigned by hand

    def assigned(_, partitions):
        for one in partitions:
            owned[one.partition] = Handled.open(one.partition, states, end[one.partition])
            one.offset = owned[one.partition]["offset"]
        client.assign(partitions)

    client.subscribe([EVENTS], on_assign=assigned, on_revoke=lambda *_: owned.clear())
    taken = 0
    while not stop and not (UNTIL_END and all(Handled.read(p)["offset"] >= at for p, at in end.items())):
        states.follow(0)
        for message in client.consume(100, 0.2):
            handled = owned.get(message.partition())
            if message.error() and message.error().code() != KafkaError._PARTITION_EOF:
                raise KafkaException(message.error())
            if handled is None or message.offset() < handled["offset"]:
                continue
            if not message.error():
                handled.take(message)
                taken += 1
            # The end of a partition is one past the marker of its last transaction.
            handled["offset"] = message.offset() + (message.error() is None)
        for partition, handled in owned.items():
            handled.save(partition)
    client.close()
    report(states, [Handled.read(p) for p in end], taken)


main()
