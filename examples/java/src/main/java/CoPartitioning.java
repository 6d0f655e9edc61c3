import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.Stores;

/**
 * A Kafka Streams join of the state topic with a topic of one's own under the same keys: it needs equal numbers of
 * partitions and the same partitioner, and nothing else.
 *
 * <p>{@code CoPartitioning write TOPIC KEYS_FILE} writes a row for each key with Java's default partitioner.
 * {@code CoPartitioning join TOPIC} joins, ends when both topics were read to their ends, and prints how many joined.
 */
final class CoPartitioning {
    private static final String BOOTSTRAP = Consumer.env("KAFKA_BOOTSTRAP", "127.0.0.1:9092");
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    private CoPartitioning() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("write")) {
            write(arguments[1], Files.readAllLines(Path.of(arguments[2])));
        } else {
            join(Consumer.env("TOPIC_PREFIX", "") + "kyc.submission.state.v1", arguments[1]);
        }
    }

    private static void write(String topic, List<String> keys) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", BOOTSTRAP, "acks", "all");
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (String key : keys) {
                producer.send(new ProducerRecord<>(topic, key, "a row of ours about " + key)).get();
            }
        }
        System.out.println("rows=" + keys.size());
    }

    private static void join(String state, String rows) throws Exception {
        String application = Consumer.env("GROUP", "example-streams");
        Set<String> joined = ConcurrentHashMap.newKeySet();
        var builder = new StreamsBuilder();
        table(builder, state, "state").join(table(builder, rows, "rows"), (snapshot, row) -> snapshot + row)
                .toStream().foreach((key, both) -> joined.add(key));
        var settings = new Properties();
        settings.putAll(Map.of(
                StreamsConfig.APPLICATION_ID_CONFIG, application,
                StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, BOOTSTRAP,
                StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200,
                StreamsConfig.STATE_DIR_CONFIG, Consumer.env("STORE", "store"),
                StreamsConfig.consumerPrefix("isolation.level"), "read_committed",
                StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest"));
        try (var admin = Admin.create(Map.of("bootstrap.servers", BOOTSTRAP));
                var streams = new KafkaStreams(builder.build(), settings)) {
            var ends = ends(admin, List.of(state, rows));
            streams.start();
            Instant until = Instant.now().plus(PATIENCE);
            while (!isAt(ends, admin.listConsumerGroupOffsets(application).partitionsToOffsetAndMetadata().get())) {
                if (Instant.now().isAfter(until) || streams.state() == KafkaStreams.State.ERROR) {
                    throw new IllegalStateException("not at the ends: " + streams.state());
                }
                Thread.sleep(200);
            }
        }
        System.out.println("joined=" + joined.size());
    }

    private static KTable<String, String> table(StreamsBuilder builder, String topic, String name) {
        return builder.table(topic, Consumed.with(Serdes.String(), Serdes.String()),
                Materialized.as(Stores.inMemoryKeyValueStore(name)));
    }

    private static Map<TopicPartition, Long> ends(Admin admin, List<String> topics) throws Exception {
        var asked = new HashMap<TopicPartition, OffsetSpec>();
        for (var topic : admin.describeTopics(topics).allTopicNames().get().values()) {
            for (var one : topic.partitions()) {
                asked.put(new TopicPartition(topic.name(), one.partition()), OffsetSpec.latest());
            }
        }
        var ends = new HashMap<TopicPartition, Long>();
        admin.listOffsets(asked).all().get().forEach((partition, end) -> ends.put(partition, end.offset()));
        return ends;
    }

    private static boolean isAt(Map<TopicPartition, Long> ends, Map<TopicPartition, OffsetAndMetadata> committed) {
        var nothing = new OffsetAndMetadata(0);
        return ends.entrySet().stream()
                .allMatch(end -> committed.getOrDefault(end.getKey(), nothing).offset() >= end.getValue());
    }
}
