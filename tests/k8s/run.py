"""The chart on a real cluster, under load: installed, upgraded, drained, killed, scaled, rolled back, removed. See run.sh.

Owns: the steps, what each must show, and the report. Whether events were lost, repeated, disordered or invented is judged by
the simulated ARGOS in its pod, from the topics (tests/src/bin/argos-in-cluster.rs).

Path: `prepare` -> one step after the other, all under the same load -> `calm` -> `uninstall` -> `judge` -> the table.
"""

import json
import os
import pathlib
import sys
import time

from cluster import (
    CHART, HERE, NAMESPACE, OURS, RELEASE, Failed, address, apply, command, everything, evict, get, helm, ids, keep_logs,
    kubectl, pods, remove_namespace, wait_for, wait_ready,
)

RATE = float(os.environ.get("RATE", "100"))
SEED = os.environ.get("SEED", "1")
DOORS = 2
# Seconds under load that a step lasts at least.
WHILE = 20
STEPS = 13


def said():
    """The last thing that the simulated ARGOS told of itself."""
    lines = [line for line in kubectl("logs", "argos", "--tail=20").splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}


def tell(*words):
    kubectl("exec", "argos", "--", "/usr/local/bin/argos-in-cluster", "tell", *words)


class Report:
    """A row for each step; the differences between two lines of the simulated ARGOS are what happened in it."""

    HEAD = ("step", "s", "webhooks", "posts", "200", "503", "other", "no answer", "events", "verdict")

    def __init__(self):
        self.rows, self.failed = [], []

    def step(self, name, act, under_load=True, may_break=False):
        """Does it; a failure ends the run, what the answers show does not. `may_break`: connections may."""
        print(f"{time.strftime('%H:%M:%S')} {name} ...", flush=True)
        began, before = time.monotonic(), said() if under_load else {}
        verdict, failure = "ok", None
        try:
            verdict = act() or verdict
            if under_load:
                # What a step leaves behind is met by webhooks, too.
                time.sleep(max(3, WHILE - (time.monotonic() - began)))
        except Failed as failed:
            failure = verdict = str(failed)
        after = said() if under_load else {}
        wrong = answers_wrong(before, after, may_break)
        if wrong and not failure:
            verdict = wrong
        if failure or wrong:
            self.failed.append(f"{name}: {failure or wrong}")
        self.rows.append(row(name, time.monotonic() - began, before, after, verdict))
        print(f"         {' | '.join(self.rows[-1])}", flush=True)
        if failure:
            raise Failed(failure)

    def text(self):
        rows = [self.HEAD, *self.rows]
        widths = [max(len(one[at]) for one in rows) for at in range(len(self.HEAD) - 1)]
        lines = ["  ".join([one[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(one[1:-1], widths[1:])), one[-1]]) for one in rows]
        return "\n".join(lines)


def row(name, seconds, before, after, verdict):
    def grown(key):
        return after.get(key, 0) - before.get(key, 0)

    refused = grown_refusals(before, after)
    other = " ".join(f"{status}x{count}" for status, count in sorted(refused.items()) if status != "503")
    figures = [grown(key) for key in ("webhooks", "posts", "accepted")] + [refused.get("503", 0)]
    shown = [str(figure) for figure in figures] + [other or "0", str(grown("unanswered")), str(grown("events"))]
    return (name, f"{seconds:.0f}", *(shown if after else ["-"] * len(shown)), verdict.split("\n")[0][:100])


def grown_refusals(before, after):
    earlier = before.get("refused", {})
    grown = {status: count - earlier.get(status, 0) for status, count in after.get("refused", {}).items()}
    return {status: count for status, count in grown.items() if count}


def answers_wrong(before, after, may_break):
    """503 is for whoever retries; nothing else is refused. What no retry brought in is found at the end."""
    others = {status: count for status, count in grown_refusals(before, after).items() if status != "503"}
    if others:
        return f"refused with {others}"
    if after.get("unanswered", 0) > before.get("unanswered", 0) and not may_break:
        return f"{after['unanswered'] - before.get('unanswered', 0)} POSTs without an answer"
    if after.get("without_retry_after", 0) > before.get("without_retry_after", 0):
        return "503 without Retry-After"
    if after.get("wrong_so_far", 0):
        return f"the live consumer holds {after['wrong_so_far']} things against the events"
    return None


class Run:
    """What the steps hand on."""

    def __init__(self):
        self.values, self.before, self.cordoned = [], set(), None

    def prepare(self):
        remove_namespace()
        apply("namespace.yaml", NAMESPACE=NAMESPACE)
        kafka, argos = f"{address('kafka')}:9092", address("argos")
        apply("pods.yaml", NAMESPACE=NAMESPACE, KAFKA=kafka, ARGOS=argos, RATE=f"{RATE:g}", SEED=SEED)
        kubectl("wait", "pod/kafka", "pod/argos", "--for=condition=Ready", "--timeout=240s")
        kubectl("create", "configmap", "argos-ca", f"--from-literal=ca.crt={said()['authority']}")
        # What the cluster itself puts into a new namespace comes late at times.
        wait_for("the namespace's own objects", lambda: "configmap/kube-root-ca.crt" in everything())
        self.before = everything()
        self.values = [
            "-f", str(HERE / "values.yaml"), "--set-string", f"config.kafka.bootstrap_servers={kafka}",
            "--set-string", f"config.projects[0].base_url=https://{argos}:9443/v3",
        ]

    def install(self):
        helm("install", RELEASE, CHART, *self.values, "--set", "reconciler.replicas=2", "--wait", "--timeout", "5m")
        wait_ready("ingest", DOORS)
        wait_ready("reconciler", 2)
        tell("play", f"http://{address('relay-argos-relay')}")
        wait_for("webhooks become events", lambda: said().get("events", 0) > 0)

    def load(self):
        before, began = said()["webhooks"], time.monotonic()
        time.sleep(WHILE)
        rate = (said()["webhooks"] - before) / (time.monotonic() - began)
        if rate < 0.8 * RATE:
            raise Failed(f"only {rate:.0f} webhooks a second are sent")
        return f"ok, {rate:.0f} webhooks/s"

    def helm_upgrade(self, *more):
        helm("upgrade", RELEASE, CHART, *self.values, *more, "--wait", "--timeout", "5m")

    def upgrade(self):
        """Every pod is replaced by one with another configuration."""
        before = ids("ingest", "reconciler")
        self.helm_upgrade("--set", "reconciler.replicas=2", "--set", "config.drain_timeout=24s")
        wait_ready("ingest", DOORS)
        wait_ready("reconciler", 2)
        if before & ids("ingest", "reconciler"):
            raise Failed("some pods were not replaced")

    def drain(self):
        """A node goes out of service: of each workload one pod may go at a time."""
        node = pods("ingest")[0]["spec"]["nodeName"]
        kubectl("cordon", node)
        self.cordoned = node
        second = {}
        for component in ("ingest", "reconciler"):
            first, second[component] = (pod["metadata"]["name"] for pod in pods(component))
            if not evict(first):
                raise Failed(f"the first eviction of {component} was refused")
            if evict(second[component]):
                raise Failed(f"a second pod of {component} could be evicted at once")
        time.sleep(10)
        self.uncordon()
        for component, pod in second.items():
            wait_ready(component, 2)
            if not evict(pod):
                raise Failed(f"{pod} could not be evicted, though the other was back")
        for component in second:
            wait_ready(component, 2)
        return "ok, second evictions refused until the first pods were back"

    def uncordon(self):
        if self.cordoned:
            kubectl("uncordon", self.cordoned)
            self.cordoned = None

    def kill(self):
        """Without a word, and the next one at once: a killed reconciler's name is taken again while it may still run."""
        for component in ("ingest", "reconciler"):
            pod = pods(component)[0]["metadata"]["name"]
            kubectl("delete", "pod", pod, "--force", "--grace-period=0")
        wait_ready("ingest", DOORS)
        wait_ready("reconciler", 2)

    def scale(self, replicas):
        self.helm_upgrade("--set", f"reconciler.replicas={replicas}", "--set", "config.drain_timeout=24s")
        wait_ready("reconciler", replicas)

    def rollback(self):
        before = ids("ingest", "reconciler")
        helm("rollback", RELEASE, "1", "--wait", "--timeout", "5m")
        wait_ready("ingest", DOORS)
        wait_ready("reconciler", 2)
        if before & ids("ingest", "reconciler"):
            raise Failed("some pods were not replaced")
        if "drain_timeout = \"25s\"" not in get("configmap", "relay-argos-relay")["data"]["relay.toml"]:
            raise Failed("the configuration is not the first one")

    def calm(self):
        tell("stop")
        line = wait_for("all webhooks are settled and the states agree", lambda: (line := said())["phase"] in ("agrees", "disagrees") and line, 600)
        if line["phase"] == "disagrees":
            raise Failed(f"{line['notes_in_all']} submissions are not what is published, for instance {line['notes'][:3]}")
        return "ok, states agree with what is true"

    def uninstall(self):
        helm("uninstall", RELEASE, "--wait", "--timeout", "3m")

        def left():
            return everything() - self.before

        try:
            wait_for("nothing is left", lambda: not left(), 60)
        except Failed as failed:
            raise Failed(f"left behind: {sorted(left())}") from failed
        if get("pods", "-l", OURS)["items"]:
            raise Failed("pods are left")
        return f"ok, nothing left of it among {len(self.before)} objects"

    def judge(self):
        tell("judge")
        wait_for("the topics are judged", lambda: get("pod", "argos")["status"]["phase"] in ("Succeeded", "Failed"))
        line = said()
        if line.get("phase") != "judged":
            raise Failed(f"no verdict: {kubectl('logs', 'argos', '--tail=5')}")
        if line["notes_in_all"]:
            raise Failed(f"{line['notes_in_all']} wrong, for instance {line['notes'][:3]}")
        return "ok, nothing lost, repeated, out of order or invented"


def steps(run, report):
    report.step("Kafka and ARGOS start", run.prepare, under_load=False)
    report.step("helm install", run.install)
    report.step("load", run.load)
    report.step("rolling upgrade", run.upgrade)
    report.step("node drained, budgets honoured", run.drain)
    report.step("one pod of each killed", run.kill, may_break=True)
    for replicas in (1, 3, 1):
        report.step(f"reconcilers scaled to {replicas}", lambda: run.scale(replicas))
    report.step("helm rollback", run.rollback)
    report.step("load ends, all agrees", run.calm)
    report.step("helm uninstall", run.uninstall, under_load=False)
    report.step("topics judged", run.judge, under_load=False)


def sums(log):
    """Of all webhooks: of the answers, and how long the accepted ones took (of which no record is left after the verdict)."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    line = next((line for line in reversed(lines) if any(line.get("latency_us", []))), {})
    median, late, worst = (figure / 1000 for figure in line.get("latency_us", (0, 0, 0)))
    return (
        f"{line.get('webhooks', 0)} webhooks in {line.get('posts', 0)} POSTs ({line.get('resends', 0)} of them again): "
        f"200 x{line.get('accepted', 0)}, refused {line.get('refused', {})}, without an answer {line.get('unanswered', 0)}; "
        f"answered 200 within {median:.1f} ms (median), {late:.1f} ms (99 of 100), {worst:.0f} ms (worst); "
        f"{line.get('gets', 0)} GETs, {line.get('events', 0)} events, {line.get('states', 0)} states"
    )


def main():
    out = pathlib.Path(sys.argv[1])
    run, report, began = Run(), Report(), time.monotonic()
    try:
        steps(run, report)
    except Failed as failed:
        print(failed, file=sys.stderr)
    finally:
        run.uncordon()
        _, log, _ = command("kubectl", "-n", NAMESPACE, "logs", "argos")
        (out / "argos.log").write_text(log)
        if len(report.rows) < STEPS or report.failed:
            keep_logs(out)
        if os.environ.get("KEEP") != "1":
            remove_namespace()
    verdict = f"{len(report.failed)} failed" if report.failed else "all is well"
    text = f"{report.text()}\n\n{sums(log)}\n{len(report.rows)} steps in {time.monotonic() - began:.0f} s: {verdict}\n"
    (out / "report.txt").write_text(text)
    print(f"\n{text}", end="")
    for failure in report.failed:
        print(f"FAILED {failure}")
    return 1 if report.failed or len(report.rows) < STEPS else 0


if __name__ == "__main__":
    sys.exit(main())
