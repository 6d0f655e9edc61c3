"""The one line by which consumers are compared: docs/contract.md, "How to test a consumer"."""

import hashlib
from collections import Counter

KYC = {"incomplete", "pending", "approved", "rejected", "deleted"}
AML = {"not_screened", "clear", "red_flag"}


def word(value, known):
    """Enums are open: a word of a later release is `unknown`, never an error."""
    return value if value in known else "unknown"


def report(states, handled, taken):
    last, count = {}, Counter()
    for one in handled:
        last |= one["last"]
        count.update(one["count"])
    words = {key: (word(row.kyc.status.root, KYC), word(row.aml.status.root, AML)) for key, row in states.rows.items()}
    users = states.latest_approved()
    sequences = {key: last.get(key, row.sequence) for key, row in states.rows.items()}
    lines = sorted(f"{key} {sequences[key]} {kyc} {aml}\n" for key, (kyc, aml) in words.items())
    lines += sorted(f"{user} {submission}\n" for user, submission in users.items())
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    counts = " ".join(f"{name}={count[name]}" for name in ("events", "approvals", "duplicates", "older", "gaps"))
    unknown = sum("unknown" in pair for pair in words.values())
    print(f"digest={digest} submissions={len(words)} users={len(users)} {counts} unknown={unknown} taken={taken}")
