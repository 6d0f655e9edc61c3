"""A second pair of topics that has everything in it which a consumer must bear: copies of the events and snapshots, and

- an event left out (a gap), and one repeated under its id;
- words, a type and a field of a later release;
- a tombstone without an event: an operator's erasure;
- records of a transaction that was aborted, and of one that is still open behind the last committed record.
"""

import json
import uuid

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

EVENTS, STATE = "kyc.submission.events.v1", "kyc.submission.state.v1"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def create(bootstrap, topics, partitions):
    """`topics`: name -> cleanup policy."""
    new = [NewTopic(name, partitions, 1, config={"cleanup.policy": policy}) for name, policy in topics.items()]
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})  # no word of its own end
    for made in admin.create_topics(new).values():
        made.result(30)


def transaction(bootstrap):
    producer = Producer({
        "bootstrap.servers": bootstrap, "transactional.id": str(uuid.uuid4()), "transaction.timeout.ms": 900_000,
    })
    producer.init_transactions(30)
    producer.begin_transaction()
    return producer


def send(producer, prefix, events, states):
    """Hands records on as they are, to the same partitions; returns when all are acknowledged."""
    for topic, records in ((EVENTS, events), (STATE, states)):
        for one in records:
            headers = list(one.headers.items())
            producer.produce(prefix + topic, one.value, one.key, one.partition, headers=headers)
    if producer.flush(30) > 0:
        raise TimeoutError(f"{prefix}: not all was acknowledged within 30 s")


def pick(events, states):
    """Different submissions for the different mischief: (left out, of a later release, erased, forged)."""
    last = {record.key: json.loads(record.value or "null") for record in states}
    by_key = {}
    for record in events:
        by_key.setdefault(record.key, []).append(record)
    live = sorted(key for key, snapshot in last.items() if snapshot)
    shows = lambda key, word: last[key]["kyc"]["status"] == word  # noqa: E731
    left_out = next(key for key in live if len(by_key[key]) > 2 and "approved" not in by_key[key][1].headers["ce_type"])
    rejected = [key for key in live if shows(key, "rejected") and key != left_out]
    approved = [key for key in live if shows(key, "approved") and last[key]["submission"]["user_id"] and key != left_out]
    return by_key[left_out][1], rejected[0], approved[0], approved[1]


def later(events, states, key):
    """An event and a snapshot of a release to come."""
    event = [record for record in events if record.key == key][-1]
    snapshot = [record for record in states if record.key == key][-1]
    sequence = int(event.headers["ce_sequence"]) + 1
    headers = event.headers | {
        "ce_id": uuid.uuid4().hex, "ce_type": "kyc.submission.escalated.v1", "ce_sequence": f"{sequence:020}",
        "ce_dataschema": "urn:argos-relay:schema:kyc.submission.escalated.v1",
    }
    data = json.loads(event.value) | {"novel": {"field": [1]}}
    data["kyc"]["status"] = "escalated"
    shown = json.loads(snapshot.value) | {"novel": True, "sequence": sequence}
    shown["kyc"]["status"], shown["aml"]["status"] = "escalated", "quarantined"
    value = json.dumps(data).encode()
    return event._replace(headers=headers, value=value), snapshot._replace(value=json.dumps(shown).encode())


def forged(events, states, key):
    """What was never true of a submission."""
    event, snapshot = later(events, states, key)
    headers = event.headers | {"ce_type": "kyc.submission.rejected.v1", "ce_id": "f" * 32}
    shown = json.loads(snapshot.value)
    shown["kyc"]["status"] = "rejected"
    return event._replace(headers=headers), snapshot._replace(value=json.dumps(shown).encode())


def spoil(bootstrap, prefix, partitions, events, states):
    """Makes the topics; gives back the producer whose transaction is still open: abort it when all is over."""
    create(bootstrap, {prefix + EVENTS: "delete", prefix + STATE: "compact"}, partitions)
    left_out, novel, erased, lied_about = pick(events, states)
    new_event, new_snapshot = later(events, states, novel)
    lie_event, lie_snapshot = forged(events, states, lied_about)
    repeated = next(record for record in events if record.key == lied_about)
    gone = next(record for record in states if record.key == erased)._replace(value=None)

    producer = transaction(bootstrap)
    kept = [record for record in events if record != left_out]
    kept[::2] = [record._replace(headers=record.headers | {"traceparent": TRACE}) for record in kept[::2]]
    send(producer, prefix, kept, states)
    producer.commit_transaction(30)
    producer.begin_transaction()
    send(producer, prefix, [lie_event], [lie_snapshot])
    producer.abort_transaction(30)
    producer.begin_transaction()
    send(producer, prefix, [repeated, new_event], [new_snapshot, gone])
    producer.commit_transaction(30)
    still_open = transaction(bootstrap)
    send(still_open, prefix, [lie_event], [lie_snapshot])
    return still_open
