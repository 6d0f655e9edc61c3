#!/usr/bin/env python3
"""Confluent's own client, as a judge of what the service publishes with a schema registry.

    official.py decode BOOTSTRAP REGISTRY PREFIX     reads the public topics to their end with JSONDeserializer, which
                                                     fetches each schema by the id in the record and validates; one JSON
                                                     document a line: topic, partition, offset, id, versions, value
    official.py evolve REGISTRY SUBJECT              under FULL_TRANSITIVE, registers changes of the subject's schema; one
                                                     line each: the change, and "taken" or "refused"
    official.py subjects REGISTRY                    every subject with its versions
"""

import copy
import json
import sys

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, topic_record_subject_name_strategy
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

TOPICS = ["kyc.submission.events.v1", "kyc.submission.state.v1", "kyc.control.notifications.v1"]


def records(bootstrap, topic):
    """All that a read_committed client sees, to the end."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "official", "isolation.level": "read_committed",
        "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest",
    })
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    left = set(partitions)
    while left:
        message = consumer.poll(30)
        if message is None:
            sys.exit(f"{topic} was not read to its end")
        if message.error() is None:
            yield message
        elif message.error().code() == KafkaError._PARTITION_EOF:
            left.discard(message.partition())
        else:
            sys.exit(f"{topic}: {message.error()}")
    consumer.close()


def decode(bootstrap, url, prefix):
    client = SchemaRegistryClient({"url": url})
    strategy = {"subject.name.strategy": topic_record_subject_name_strategy}
    read = JSONDeserializer(None, schema_registry_client=client, conf=strategy)
    for topic in (prefix + name for name in TOPICS):
        for message in records(bootstrap, topic):
            raw = message.value()
            told = {"topic": topic, "partition": message.partition(), "offset": message.offset(), "value": None}
            if raw is not None:
                told["id"] = int.from_bytes(raw[1:5], "big")
                # Raises if the record is not framed, the id unknown, or the value not of its schema.
                told["value"] = read(raw, SerializationContext(topic, MessageField.VALUE))
                title = json.loads(client.get_schema(told["id"]).schema_str)["title"]
                told["type"], told["subject"] = title, f"{topic}-{title}"
                told["is_latest"] = client.get_latest_version(told["subject"]).schema_id == told["id"]
            print(json.dumps(told))


CHANGES = {
    "a word of an open enum": lambda schema: schema["definitions"]["Cause"]["x-extensible-enum"].append("later"),
    "a description": lambda schema: schema.update(description="Said better."),
    "a field's type": lambda schema: schema["definitions"]["Kyc"]["properties"].update(retries={"type": "string"}),
    "a field that is gone": lambda schema: schema["properties"].pop("previous"),
    "a field that must be there": lambda schema: (
        schema["properties"].update(score={"type": "integer"}), schema["required"].append("score")),
    # Compatible here, since there is one writer; not by the rules of registries: see docs/contract.md.
    "an optional field": lambda schema: schema["properties"].update(score={"type": ["integer", "null"]}),
}


def evolve(url, subject):
    client = SchemaRegistryClient({"url": url})
    client.set_compatibility(level="FULL_TRANSITIVE")
    base = json.loads(client.get_latest_version(subject).schema.schema_str)
    for what, change in CHANGES.items():
        schema = copy.deepcopy(base)
        change(schema)
        try:
            client.register_schema(subject, Schema(json.dumps(schema), "JSON"))
            print(f"{what}: taken")
        except SchemaRegistryError as error:
            if error.http_status_code != 409:
                raise
            print(f"{what}: refused")


def subjects(url):
    client = SchemaRegistryClient({"url": url})
    for subject in sorted(client.get_subjects()):
        print(subject, client.get_versions(subject))


if __name__ == "__main__":
    {"decode": decode, "evolve": evolve, "subjects": subjects}[sys.argv[1]](*sys.argv[2:])
