"""What consumers have to arrive at, computed apart from them.

Owns: the digest (docs/contract.md, "How to test a consumer"), what the simulator holds to be true, a plain reading of
the topics, and an account of a topic by hand. Must not know the examples.
"""

import hashlib
import json
import time
from collections import Counter, namedtuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

Record = namedtuple("Record", "partition offset key value headers")
KYC = ("incomplete", "pending", "approved", "rejected", "deleted")
AML = ("not_screened", "clear", "red_flag")


def read(bootstrap, topic, isolation="read_committed"):
    """Every record of a topic, partition by partition."""
    client = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "oracle", "isolation.level": isolation,
        "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "error",
    })
    still = set(client.list_topics(topic, 10).topics[topic].partitions)
    client.assign([TopicPartition(topic, partition, 0) for partition in still])
    found, until = [], time.monotonic() + 60
    while still:
        if time.monotonic() > until:
            raise TimeoutError(f"{topic}: not at the end within 60 s")
        # It waits for as many, or until the time is over.
        for message in client.consume(200, 0.1):
            if not message.error():
                headers = {name: value.decode() for name, value in message.headers() or []}
                place = message.partition(), message.offset()
                found.append(Record(*place, message.key().decode(), message.value(), headers))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                still.discard(message.partition())
            else:
                raise KafkaException(message.error())
    client.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def last_offsets(bootstrap, topic):
    """Partition -> the offset of the last committed record; -1 where there is none."""
    return {record.partition: record.offset for record in read(bootstrap, topic)}


def digest(rows, users):
    """`rows`: key -> (sequence, kyc, aml); `users`: user -> submission."""
    lines = sorted(f"{key} {sequence} {kyc} {aml}\n" for key, (sequence, kyc, aml) in rows.items())
    lines += sorted(f"{user} {submission}\n" for user, submission in users.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def line(rows, users, counts):
    """As a consumer prints it, as a dictionary of texts."""
    told = {"digest": digest(rows, users), "submissions": len(rows), "users": len(users)}
    told |= {name: counts[name] for name in ("events", "approvals", "duplicates", "older", "gaps")}
    told["unknown"] = sum("unknown" in row for row in rows.values())
    return {name: str(value) for name, value in told.items()}


def of_truth(truths, events):
    """From what the simulator holds to be true; only how many events there were is taken from the topic."""
    sequences = Counter(record.key for record in events)
    rows, approved = {}, {}
    for one in truths:
        truth, key = one["truth"], f"{one['project']}/{one['truth']['id']}"
        if truth["deleted"] or truth["absent"]:
            continue
        is_approved = truth["kyc_status"] == "approved"
        clear = is_approved and truth["aml_told"]
        aml = "red_flag" if truth["aml_status"] == "Red Flag" else "clear" if clear else "not_screened"
        rows[key] = (sequences[key], truth["kyc_status"], aml)
        if is_approved and truth["user_id"]:
            user = f"{one['project']}/{truth['user_id']}"
            approved[user] = max(approved.get(user, (0, "")), (truth["decided_at"], truth["id"]))
    users = {user: submission for user, (_, submission) in approved.items()}
    counts = Counter(events=len(events), approvals=sum(is_approval(record) for record in events))
    return line(rows, users, counts)


def is_approval(record):
    return record.headers["ce_type"] == "kyc.submission.approved.v1"


def of_topics(events, states, forgetful=False):
    """From the records themselves, by hand; a forgetful account does not know a repeat when it sees one."""
    last, seen, counts = {}, set(), Counter()
    for record in events:
        sequence = int(record.headers["ce_sequence"])
        if record.headers["ce_id"] in seen and not forgetful:
            counts["duplicates"] += 1
            continue
        seen.add(record.headers["ce_id"])
        counts["gaps"] += sequence > last.get(record.key, 0) + 1
        counts["events"] += 1
        counts["approvals"] += is_approval(record)
        last[record.key] = sequence
    snapshots = {record.key: json.loads(record.value or "null") for record in states}
    snapshots = {key: snapshot for key, snapshot in snapshots.items() if snapshot}
    rows, approved = {}, {}
    for key, shown in snapshots.items():
        kyc, aml, whose = shown["kyc"]["status"], shown["aml"]["status"], shown["submission"]
        rows[key] = (last[key], kyc if kyc in KYC else "unknown", aml if aml in AML else "unknown")
        if kyc == "approved" and whose["user_id"]:
            user = f"{whose['project']}/{whose['user_id']}"
            approved[user] = max(approved.get(user, ("", "")), (shown["kyc"]["decided_at"], whose["id"]))
    return line(rows, {user: submission for user, (_, submission) in approved.items()}, counts)
