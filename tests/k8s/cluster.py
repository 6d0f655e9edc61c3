"""The cluster, through kubectl and helm: every call is bounded, every failure says what was asked.

Owns: commands, waiting, what stands in the namespace. Must not know the steps, nor what is right.
"""

import json
import os
import pathlib
import string
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CHART = ROOT / "helm/argos-relay"
NAMESPACE = os.environ.get("NAMESPACE", "argos-relay-test")
RELEASE = "relay"
OURS = f"app.kubernetes.io/instance={RELEASE}"
# Seconds for one thing to come about, on a machine that is busy with much else.
PATIENCE = 300


class Failed(Exception):
    """A step did not do what it must."""


def command(*arguments, stdin=None, seconds=PATIENCE):
    """(exit code, output, errors)."""
    try:
        done = subprocess.run([str(one) for one in arguments], input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{arguments}: not within {seconds} s") from late
    return done.returncode, done.stdout, done.stderr


def kubectl(*arguments, stdin=None):
    """What it prints."""
    code, output, errors = command("kubectl", "-n", NAMESPACE, *arguments, stdin=stdin)
    if code != 0:
        raise Failed(f"kubectl {' '.join(arguments)}: {errors.strip()}")
    return output


def get(*arguments):
    return json.loads(kubectl("get", *arguments, "-o", "json"))


def helm(*arguments):
    code, output, errors = command("helm", "-n", NAMESPACE, *arguments, seconds=2 * PATIENCE)
    if code != 0:
        raise Failed(f"helm {arguments[0]}: {errors.strip()[-2000:]}")
    return output


def apply(file, **values):
    """Makes what a file of this folder says, with the values put in."""
    kubectl("apply", "-f", "-", stdin=string.Template((HERE / file).read_text()).substitute(values))


def wait_for(what, is_so, seconds=PATIENCE):
    """What `is_so` says once that is anything."""
    until = time.monotonic() + seconds
    while not (said := is_so()):
        if time.monotonic() > until:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.5)
    return said


def pods(component):
    """The pods of a workload that are not about to go."""
    found = get("pods", "-l", f"{OURS},app.kubernetes.io/component={component}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod):
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def ids(*components):
    """Each pod by its uid: another process is another one."""
    return {pod["metadata"]["uid"] for component in components for pod in pods(component)}


def wait_ready(component, number):
    """Until so many pods of a workload are ready, and no other is there."""

    def is_so():
        found = pods(component)
        return len(found) == number and all(is_ready(pod) for pod in found)

    wait_for(f"{number} pods of {component} are ready", is_so)


def address(service):
    """Its cluster IP."""
    return get("service", service)["spec"]["clusterIP"]


def evict(pod):
    """Asks for a pod to go, as a node that is drained does; whether it was granted."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    code, _, errors = command("kubectl", "create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    if code != 0 and "disruption budget" not in errors:
        raise Failed(f"eviction of {pod}: {errors.strip()}")
    return code == 0


def everything():
    """The name of each object of the namespace, but for what tells of it only."""
    code, kinds, _ = command("kubectl", "api-resources", "--namespaced", "--verbs=list", "-o", "name")
    if code not in (0, 1) or not kinds:
        raise Failed("kubectl api-resources says nothing")
    kinds = [kind for kind in kinds.split() if not kind.startswith("events") and not kind.endswith("metrics.k8s.io")]
    return set(kubectl("get", ",".join(kinds), "-o", "name", "--ignore-not-found").split())


def remove_namespace():
    """Only one that was made here."""
    code, output, _ = command("kubectl", "get", "namespace", NAMESPACE, "-o", "json")
    if code != 0:
        return
    if json.loads(output)["metadata"].get("labels", {}).get("argos-relay/made-by") != "make-k8s":
        raise Failed(f"the namespace {NAMESPACE} is there and was not made here: set NAMESPACE")
    command("kubectl", "delete", "namespace", NAMESPACE, "--wait=true", f"--timeout={PATIENCE}s", seconds=PATIENCE + 10)


def keep_logs(folder):
    """What there is to find out from."""
    for name, arguments in {
        "pods.txt": ["get", "pods", "-o", "wide"],
        "events.txt": ["get", "events", "--sort-by=.lastTimestamp"],
        "describe.txt": ["describe", "pods"],
    }.items():
        (folder / name).write_text("".join(command("kubectl", "-n", NAMESPACE, *arguments)[1:]))
    for pod in get("pods")["items"]:
        name = pod["metadata"]["name"]
        for suffix, more in (("", []), (".previous", ["--previous"])):
            code, output, _ = command("kubectl", "-n", NAMESPACE, "logs", name, "--all-containers", *more)
            if code == 0 and output:
                (folder / f"{name}{suffix}.log").write_text(output)
