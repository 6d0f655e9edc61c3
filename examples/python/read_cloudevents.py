"""The events as the CloudEvents SDK reads them, one JSON document a line, to the end of the topic."""

import json
import os

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

TOPIC = os.environ.get("TOPIC_PREFIX", "") + "kyc.submission.events.v1"


def main():
    client = Consumer({
        "bootstrap.servers": os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092"), "group.id": "example-cloudevents",
        "isolation.level": "read_committed", "enable.auto.commit": False, "enable.partition.eof": True,
    })
    still = set(client.list_topics(TOPIC, 10).topics[TOPIC].partitions)
    client.assign([TopicPartition(TOPIC, partition, 0) for partition in still])
    while still:
        for message in client.consume(500, 0.2):
            if message.error() and message.error().code() != KafkaError._PARTITION_EOF:
                raise KafkaException(message.error())
            if message.error():
                still.discard(message.partition())
                continue
            event = from_binary_event(KafkaMessage(dict(message.headers()), message.key(), message.value()))
            print(json.dumps(event.get_attributes() | {"data": event.get_data()}, default=lambda time: time.isoformat()))
    client.close()


main()
