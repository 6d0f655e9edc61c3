import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A consumer of argos-relay's topics in Java, with the official client.
 *
 * <p>Owns the loop over what happened: the events, which the members of a group share ({@link Handled}). What is true now
 * is in {@link States}. Must not know the service: only the contract (docs/contract.md).
 *
 * <p>Path: note the events' ends, read the state topic to its end, join the group. Each batch of events is saved together
 * with its offset, so that after a crash nothing is handled twice or left out. Settings: see examples/README.md.
 */
public final class Consumer {
    static final ObjectMapper JSON = new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
    static final Path STORE = Path.of(env("STORE", "store"));
    static final boolean HISTORY = !env("HISTORY", "").isEmpty();
    private static final boolean UNTIL_END = !env("UNTIL_END", "").isEmpty();
    private static volatile boolean stop;

    static String env(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }

    static KafkaConsumer<String, byte[]> client(String group) {
        Map<String, Object> settings = Map.of("bootstrap.servers", env("KAFKA_BOOTSTRAP", "127.0.0.1:9092"),
                "group.id", group, "isolation.level", "read_committed", "enable.auto.commit", false,
                "auto.offset.reset", "earliest", "max.poll.records", 100, "session.timeout.ms", 6000);
        return new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer());
    }

    static List<TopicPartition> partitions(KafkaConsumer<?, ?> client, String topic) {
        return client.partitionsFor(topic).stream().map(one -> new TopicPartition(topic, one.partition())).toList();
    }

    public static void main(String[] arguments) throws Exception {
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stop = true;
            try { main.join(); } catch (InterruptedException ended) { main.interrupt(); }
        }));
        Files.createDirectories(STORE);
        String prefix = env("TOPIC_PREFIX", ""), group = env("GROUP", "example-java");
        String topic = prefix + "kyc.submission.events.v1";
        Map<Integer, Handled> owned = new HashMap<>();
        long taken = 0;
        try (var client = client(group); var follower = client(group + "-state")) { // the second is assigned by hand
            var ends = client.endOffsets(partitions(client, topic)); // as read_committed sees them: before open transactions
            var states = new States(follower, partitions(follower, prefix + "kyc.submission.state.v1"));
            client.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override public void onPartitionsRevoked(Collection<TopicPartition> gone) {
                    owned.clear();
                }

                @Override public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
                    for (TopicPartition one : assigned) {
                        try {
                            owned.put(one.partition(), Handled.open(one.partition(), states, ends.get(one)));
                        } catch (IOException error) { throw new UncheckedIOException(error); }
                        client.seek(one, owned.get(one.partition()).offset);
                    }
                }
            });
            while (!stop && !(UNTIL_END && atEnd(ends))) {
                states.follow(Duration.ZERO);
                for (var message : client.poll(Duration.ofMillis(200))) {
                    owned.get(message.partition()).take(message);
                    taken++;
                }
                for (var one : owned.entrySet()) { // the position is beyond the marker of the last transaction
                    one.getValue().offset = client.position(new TopicPartition(topic, one.getKey()));
                    one.getValue().save(one.getKey());
                }
            }
            client.unsubscribe();
            List<Handled> handled = new ArrayList<>();
            for (TopicPartition one : ends.keySet()) { handled.add(Handled.read(one.partition())); }
            Digest.report(states, handled, taken);
        }
    }

    private static boolean atEnd(Map<TopicPartition, Long> ends) throws IOException {
        for (var end : ends.entrySet()) {
            if (Handled.read(end.getKey().partition()).offset < end.getValue()) { return false; }
        }
        return true;
    }
}
