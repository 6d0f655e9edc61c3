"""What is true now: the compacted state topic, which every member reads whole, and goes on reading.

The end of a partition is noticed by its EOF event, which comes after the marker of the last transaction.
"""

from collections import defaultdict

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from contract.state import KycSubmissionStateV1


def user_of(row):
    return f"{row.submission.project}/{row.submission.user_id}"


class States:
    """What is true now, and of it one view: the latest approved submission of each user."""

    def __init__(self, client, topic, partitions):
        self.client, self.rows, self.partition, self.approved = client, {}, {}, defaultdict(dict)
        client.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        still = set(partitions)
        while still:
            still -= self.follow(0.2)

    def follow(self, timeout):
        """Takes in what has come; the partitions that are at their end."""
        at_end = set()
        for message in self.client.consume(500, timeout):
            if not message.error():
                self.apply(message.key().decode(), message.partition(), message.value())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                at_end.add(message.partition())
            else:
                raise KafkaException(message.error())
        return at_end

    def apply(self, key, partition, value):
        old = self.rows.pop(key, None)
        if old:
            self.approved[user_of(old)].pop(key, None)
        if value is None:  # deleted, or erased by an operator, of which no event tells
            return
        row = self.rows[key] = KycSubmissionStateV1.model_validate_json(value)
        self.partition[key] = partition
        if row.kyc.status.root == "approved" and row.submission.user_id:
            at = row.kyc.decided_at or row.vendor_updated_at or row.submission.created_at
            self.approved[user_of(row)][key] = (at, row.submission.id)

    def latest_approved(self):
        return {user: max(found.values())[1] for user, found in self.approved.items() if found}
