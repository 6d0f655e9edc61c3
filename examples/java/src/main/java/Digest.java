import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The one line by which consumers are compared: docs/contract.md, "How to test a consumer". */
final class Digest {
    private static final Set<String> KYC = Set.of("incomplete", "pending", "approved", "rejected", "deleted");
    private static final Set<String> AML = Set.of("not_screened", "clear", "red_flag");

    private Digest() {}

    /** Enums are open: a word of a later release is {@code unknown}, never an error. */
    private static String word(String value, Set<String> known) {
        return known.contains(value) ? value : "unknown";
    }

    static void report(States states, List<Handled> handled, long taken) throws Exception {
        Map<String, Long> last = new HashMap<>(), count = new HashMap<>();
        for (var one : handled) {
            last.putAll(one.last);
            one.count.forEach((name, number) -> count.merge(name, number, Long::sum));
        }
        var lines = new TreeSet<String>();
        int unknown = 0;
        for (var row : states.rows.entrySet()) {
            var snapshot = row.getValue().snapshot();
            String kyc = word(snapshot.getKyc().getStatus(), KYC), aml = word(snapshot.getAml().getStatus(), AML);
            long sequence = last.getOrDefault(row.getKey(), snapshot.getSequence());
            lines.add(row.getKey() + " " + sequence + " " + kyc + " " + aml + "\n");
            unknown += kyc.equals("unknown") || aml.equals("unknown") ? 1 : 0;
        }
        var users = new TreeSet<String>();
        states.latestApproved().forEach((user, submission) -> users.add(user + " " + submission + "\n"));
        var text = String.join("", lines) + String.join("", users);
        var digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        var counts = new StringBuilder();
        for (String name : List.of("events", "approvals", "duplicates", "older", "gaps")) {
            counts.append(name).append('=').append(count.getOrDefault(name, 0L)).append(' ');
        }
        System.out.printf("digest=%s submissions=%d users=%d %sunknown=%d taken=%d%n",
                HexFormat.of().formatHex(digest), lines.size(), users.size(), counts, unknown, taken);
    }
}
