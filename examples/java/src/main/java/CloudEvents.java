import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.CloudEventDeserializer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** The events as the CloudEvents SDK reads them, one JSON document a line, to the end of the topic. */
final class CloudEvents {
    private CloudEvents() {}

    public static void main(String[] arguments) {
        String topic = Consumer.env("TOPIC_PREFIX", "") + "kyc.submission.events.v1";
        var settings = Map.<String, Object>of("bootstrap.servers", Consumer.env("KAFKA_BOOTSTRAP", "127.0.0.1:9092"),
                "isolation.level", "read_committed");
        try (var client = new KafkaConsumer<>(settings, new StringDeserializer(), new CloudEventDeserializer())) {
            var partitions = Consumer.partitions(client, topic);
            client.assign(partitions);
            client.seekToBeginning(partitions);
            var ends = client.endOffsets(partitions);
            while (partitions.stream().anyMatch(one -> client.position(one) < ends.get(one))) {
                client.poll(Duration.ofSeconds(1)).forEach(message -> System.out.println(asJson(message.value())));
            }
        }
    }

    private static String asJson(CloudEvent event) {
        Map<String, Object> attributes = new TreeMap<>();
        event.getAttributeNames().forEach(name -> attributes.put(name, event.getAttribute(name).toString()));
        event.getExtensionNames().forEach(name -> attributes.put(name, event.getExtension(name).toString()));
        try {
            ObjectNode document = Consumer.JSON.valueToTree(attributes);
            document.set("data", Consumer.JSON.readTree(event.getData().toBytes()));
            return document.toString();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
