"""Runs the examples against a simulation and compares what they arrive at: `make consumers`.

Path: half of the lives is played; consumers start, from the state that there is; the other half is played; they are killed
and go on ("live"). Then each language reads the whole history: at one go; with a SIGKILL in the middle; with a second
member that comes and goes; and from topics that were spoiled (spoil.py). What each has to print is computed apart from it
(oracle.py). At last the join of Kafka Streams, and the CloudEvents SDKs.
"""

import shutil
import sys
import time

import oracle
import others
import spoil
from fleet import CONSUMERS, Member, members_at_work
from service import BOOTSTRAP, PARTITIONS, PROJECTS, WORK, Service, ended, wait_for
from spoil import EVENTS, STATE

CLEAN, SPOILED = "clean.", "spoiled."
SEEDS = {"acme": 7, "umbra": 8}
SUBMISSIONS = 150
TABLE, SECONDS = {}, {}


def note(run, told, seconds):
    """`told`: language -> the line. All languages of a run that goes on at once have its time."""
    for language, line in told.items():
        TABLE[language, run], SECONDS[language, run] = line, seconds
    print(f"{run}: {', '.join(told)} after {seconds:.0f} s")


def simulate():
    """Plays all lives, with the consumers of the run "live" in between; gives the truths, events and snapshots."""
    service = Service(CLEAN)
    service.command("topics", "apply")
    vendors, truths = [], []
    with ended(service.serve()), ended(service.simulate("acme", SEEDS["acme"], SUBMISSIONS)):
        truths += settled(service, "acme", truths)
        live = [Member(language, "live", CLEAN) for language in CONSUMERS]
        for member in live:
            wait_for(f"{member.name} has begun", member.has_begun)
        with ended(service.simulate("umbra", SEEDS["umbra"], SUBMISSIONS)):
            truths += settled(service, "umbra", truths)
            for project in PROJECTS:
                service.command("verify", "--project", project, "--rate", "100", "--settle", "10s")
    for member in live:
        member.kill()
    return truths, oracle.read(BOOTSTRAP, CLEAN + EVENTS), oracle.read(BOOTSTRAP, CLEAN + STATE)


def settled(service, project, before):
    """The truths of a project, once the topics say so too."""
    truths = service.truths(project)

    def agree():
        # In this order: of each snapshot that is there, the event is there as well.
        states, events = oracle.read(BOOTSTRAP, CLEAN + STATE), oracle.read(BOOTSTRAP, CLEAN + EVENTS)
        return oracle.of_truth(before + truths, events) == oracle.of_topics(events, states)

    wait_for(f"the topics agree with what is true of {project}", agree)
    return truths


def at_one_go(run, prefix):
    """One language after the other."""
    for language in CONSUMERS:
        started = time.monotonic()
        told = Member(language, run, prefix, HISTORY=1, UNTIL_END=1).told()
        note(run, {language: told}, time.monotonic() - started)


def live():
    """What was killed as it followed the second half goes on, to the end."""
    started = time.monotonic()
    again = {language: Member(language, "live", CLEAN, "-again", UNTIL_END=1) for language in CONSUMERS}
    note("live", {language: member.told() for language, member in again.items()}, time.monotonic() - started)


class Feed:
    """The same records once more, on topics of their own, a part at a time."""

    def __init__(self, prefix, events, states):
        self.prefix, self.left = prefix, sorted(events, key=lambda record: (record.offset, record.partition))
        spoil.create(BOOTSTRAP, {prefix + EVENTS: "delete", prefix + STATE: "compact"}, PARTITIONS)
        self.producer = spoil.transaction(BOOTSTRAP)
        spoil.send(self.producer, prefix, [], states)
        self.producer.commit_transaction(30)

    def more(self, count):
        """The next events, as one transaction."""
        part, self.left = self.left[:count], self.left[count:]
        self.producer.begin_transaction()
        spoil.send(self.producer, self.prefix, part, [])
        self.producer.commit_transaction(30)
        return {one: offset + 1 for one, offset in oracle.last_offsets(BOOTSTRAP, self.prefix + EVENTS).items()}


def restart(events, states):
    """Each is killed while it handles a part; the rest comes; it goes on where it was."""
    started, feed = time.monotonic(), Feed("restart.", events, states)
    members = {language: Member(language, "restart", feed.prefix, HISTORY=1) for language in CONSUMERS}
    for member in members.values():
        wait_for(f"{member.name} has begun", member.has_begun)
    for member in members.values():
        before = member.offsets()
        feed.more(len(events) // 10)
        wait_for(f"{member.name} moves", lambda member=member, before=before: member.offsets() != before)
        member.kill()
    feed.more(len(feed.left))
    settings = {"HISTORY": 1, "UNTIL_END": 1}
    again = {language: Member(language, "restart", feed.prefix, "-again", **settings) for language in CONSUMERS}
    told = {language: member.told() for language, member in again.items()}
    for language, line in told.items():
        if not 0 < int(line["taken"]) < len(events):
            raise RuntimeError(f"{language} did not go on where it was: {line}")
    note("restart", told, time.monotonic() - started)


def rebalance(events, states):
    """A second member joins, works, and leaves."""
    started, feed = time.monotonic(), Feed("rebalance.", events, states)
    first = {language: Member(language, "rebalance", feed.prefix, HISTORY=1) for language in CONSUMERS}
    third = len(events) // 3

    def at_work(count):
        for group in (member.group for member in first.values()):
            wait_for(f"{group}: {count} members at work", lambda group=group: members_at_work(group) == count)

    def all_at(ends):
        for member in first.values():
            member.wait_until_at(ends)

    all_at(feed.more(third))
    second = {language: Member(language, "rebalance", feed.prefix, "-second", HISTORY=1) for language in CONSUMERS}
    at_work(2)
    all_at(feed.more(third))
    helped = {language: int(member.stop()["taken"]) for language, member in second.items()}
    at_work(1)
    all_at(feed.more(len(feed.left)))
    told = {language: member.stop() for language, member in first.items()}
    for language, line in told.items():
        if helped[language] == 0 or helped[language] + int(line["taken"]) != len(events):
            raise RuntimeError(f"{language}: the second member took {helped[language]}, the first {line}")
    note("rebalance", told, time.monotonic() - started)


def problems(table, expected, spoiled):
    """Every cell that is not as computed apart from it."""
    found = []
    for (language, run), line in table.items():
        right = spoiled if run == "spoiled" else expected
        # Who starts from the state sees the later events only: how many depends on when it started.
        fields = [name for name in right if run != "live" or name not in ("events", "approvals", "older")]
        wrong = [one for one in fields if line.get(one) != right[one]]
        found += [f"{language} {run}: {one} is {line.get(one)}, not {right[one]}" for one in wrong]
        if run == "live" and not 0 < int(line["events"]) < int(expected["events"]):
            found.append(f"{language} live: did not start in the middle: {line}")
    return found


def can_fail(expected, spoiled, events, states):
    """The comparison sees one wrong character, and each kind of mischief matters."""
    wrong = expected | {"digest": expected["digest"][:-1] + "x"}
    assert problems({("any", "history"): wrong}, expected, spoiled), "a wrong digest passes"
    assert problems({("any", "live"): expected}, expected, spoiled), "a late start passes"
    uncommitted = [oracle.read(BOOTSTRAP, SPOILED + topic, "read_uncommitted") for topic in (EVENTS, STATE)]
    assert oracle.of_topics(*uncommitted)["digest"] != spoiled["digest"], "what was aborted does not matter"
    committed = [oracle.read(BOOTSTRAP, SPOILED + topic) for topic in (EVENTS, STATE)]
    assert oracle.of_topics(*committed, forgetful=True) != spoiled, "a repeat does not matter"
    assert oracle.of_topics(events, states) == expected
    assert [spoiled[name] for name in ("duplicates", "gaps", "unknown")] == ["1", "1", "1"], spoiled
    assert int(spoiled["submissions"]) == int(expected["submissions"]) - 1, "nothing was erased"


def show(expected, spoiled):
    runs = list(dict.fromkeys(run for _, run in TABLE))
    print("\nexpected  " + " ".join(f"{name}={value}" for name, value in expected.items()))
    print("spoiled   " + " ".join(f"{name}={value}" for name, value in spoiled.items()) + "\n")
    print(f"{'':<12}" + "".join(f"{run:<24}" for run in runs))
    for language in CONSUMERS:
        cells = [f"{TABLE[language, run]['digest'][:12]} {SECONDS[language, run]:6.1f} s" for run in runs]
        print(f"{language:<12}" + "".join(f"{cell:<24}" for cell in cells))


def main():
    started = time.monotonic()
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "stores").mkdir(parents=True)
    truths, events, states = simulate()
    expected = oracle.of_truth(truths, events)
    still_open = spoil.spoil(BOOTSTRAP, SPOILED, PARTITIONS, events, states)
    spoiled = oracle.of_topics(oracle.read(BOOTSTRAP, SPOILED + EVENTS), oracle.read(BOOTSTRAP, SPOILED + STATE))
    can_fail(expected, spoiled, events, states)
    live()
    at_one_go("history", CLEAN)
    restart(events, states)
    rebalance(events, states)
    at_one_go("spoiled", SPOILED)
    found = problems(TABLE, expected, spoiled)
    show(expected, spoiled)
    found += others.streams(CLEAN, states)
    found += others.cloud_events([CLEAN, SPOILED])
    still_open.abort_transaction(30)
    for problem in found:
        print(f"WRONG {problem}")
    checks = len(TABLE) + others.CHECKS
    print(f"\n{checks} checks, {len(found)} problems, {time.monotonic() - started:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
