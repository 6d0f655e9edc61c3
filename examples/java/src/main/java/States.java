import contract.state.KycSubmissionStateV1;
import java.io.IOException;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** What is true now: the compacted state topic, which every member reads whole, and goes on reading. */
final class States {
    /** A snapshot, and the partition that it came from. */
    record Row(int partition, KycSubmissionStateV1 snapshot) {}

    /** An approved submission of a user, and since when it is. */
    record Approved(String at, String submission) {}

    final Map<String, Row> rows = new HashMap<>();
    private final Map<String, Map<String, Approved>> approved = new HashMap<>();
    private final KafkaConsumer<String, byte[]> client;

    /** Reads to the end that it finds. */
    States(KafkaConsumer<String, byte[]> client, List<TopicPartition> partitions) throws IOException {
        this.client = client;
        client.assign(partitions);
        client.seekToBeginning(partitions);
        var ends = client.endOffsets(partitions);
        while (partitions.stream().anyMatch(one -> client.position(one) < ends.get(one))) {
            follow(Duration.ofSeconds(1));
        }
    }

    /** Takes in what has come. */
    void follow(Duration timeout) throws IOException {
        for (var message : client.poll(timeout)) {
            apply(message);
        }
    }

    private void apply(ConsumerRecord<String, byte[]> message) throws IOException {
        Row old = rows.remove(message.key());
        if (old != null) {
            approved.getOrDefault(user(old.snapshot), new HashMap<>()).remove(message.key());
        }
        if (message.value() == null) { // deleted, or erased by an operator, of which no event tells
            return;
        }
        var row = Consumer.JSON.readValue(message.value(), KycSubmissionStateV1.class);
        rows.put(message.key(), new Row(message.partition(), row));
        if (row.getKyc().getStatus().equals("approved") && row.getSubmission().getUserId() != null) {
            // All times on the topics are written alike: they sort as texts.
            String at = Stream.of(row.getKyc().getDecidedAt(), row.getVendorUpdatedAt(), row.getSubmission().getCreatedAt())
                    .filter(Objects::nonNull).findFirst().orElse("");
            approved.computeIfAbsent(user(row), user -> new HashMap<>())
                    .put(message.key(), new Approved(at, row.getSubmission().getId()));
        }
    }

    private static String user(KycSubmissionStateV1 row) {
        return row.getSubmission().getProject() + "/" + row.getSubmission().getUserId();
    }

    /** The view: the latest approved submission of each user. */
    Map<String, String> latestApproved() {
        var latest = Comparator.comparing(Approved::at).thenComparing(Approved::submission);
        Map<String, String> found = new TreeMap<>();
        approved.forEach((user, all) -> all.values().stream().max(latest).ifPresent(one -> found.put(user, one.submission)));
        return found;
    }

    /** The sequence of each submission of one partition. */
    Map<String, Long> sequences(int partition) {
        Map<String, Long> found = new HashMap<>();
        rows.forEach((key, row) -> {
            if (row.partition == partition) { found.put(key, row.snapshot.getSequence()); }
        });
        return found;
    }
}
