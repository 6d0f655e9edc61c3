import com.fasterxml.jackson.databind.JsonNode;
import contract.approved.KycSubmissionApprovedV1;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** What was handled of one partition: its offset, each submission's last sequence, the ids, the counts. */
public final class Handled {
    public long offset = -1;
    public Map<String, Long> last = new HashMap<>();
    public Set<String> ids = new HashSet<>();
    public Map<String, Long> count = new HashMap<>();

    static Handled read(int partition) throws IOException {
        Path file = Consumer.STORE.resolve(partition + ".json");
        return Files.exists(file) ? Consumer.JSON.readValue(file.toFile(), Handled.class) : new Handled();
    }

    /** As it was saved; else from the noted end on, or with HISTORY from the beginning, when nothing was known. */
    static Handled open(int partition, States states, long end) throws IOException {
        Handled handled = read(partition);
        if (handled.offset < 0) {
            handled.offset = Consumer.HISTORY ? 0 : end;
            if (!Consumer.HISTORY) {
                handled.last = states.sequences(partition); // the same number on both topics
            }
            handled.save(partition);
        }
        return handled;
    }

    /** All or nothing: the new file replaces the old one. In earnest, this is your database's transaction. */
    void save(int partition) throws IOException {
        Path file = Consumer.STORE.resolve(partition + "." + ProcessHandle.current().pid());
        Consumer.JSON.writeValue(file.toFile(), this);
        Files.move(file, Consumer.STORE.resolve(partition + ".json"), StandardCopyOption.ATOMIC_MOVE);
    }

    void take(ConsumerRecord<String, byte[]> message) throws IOException {
        long sequence = Long.parseLong(header(message, "ce_sequence"));
        if (!ids.add(header(message, "ce_id"))) {
            count.merge("duplicates", 1L, Long::sum);
            return;
        }
        Long known = last.get(message.key());
        if (known == null) { // new to us: its first event, unless it was deleted before we began and has come back
            JsonNode status = Consumer.JSON.readTree(message.value()).path("previous").path("kyc_status");
            known = status.asText().equals("deleted") ? sequence - 1 : 0;
        }
        if (sequence <= known) { // the state that we began with has it already
            count.merge("older", 1L, Long::sum);
            return;
        }
        count.merge("gaps", sequence > known + 1 ? 1L : 0L, Long::sum);
        count.merge("events", 1L, Long::sum);
        last.put(message.key(), sequence);
        if (header(message, "ce_type").equals("kyc.submission.approved.v1")) {
            // Here an application would act; it ignores other types.
            var whose = Consumer.JSON.readValue(message.value(), KycSubmissionApprovedV1.class).getSubmission();
            boolean fits = message.key().equals(whose.getProject() + "/" + whose.getId());
            count.merge("approvals", fits ? 1L : 0L, Long::sum);
        }
    }

    private static String header(ConsumerRecord<?, ?> message, String name) {
        return new String(message.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
    }
}
