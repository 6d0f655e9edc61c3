"""Tests of the Helm chart, all from rendered text: see run.sh, which starts them."""

import copy
import functools
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

import yaml

import config_schema

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CHART = ROOT / "helm/argos-relay"
SCHEMAS = os.environ["SCHEMAS"]
BINARY = os.environ.get("ARGOS_RELAY_BIN", str(ROOT / "target/debug/argos-relay"))
NEWEST = max((path.name for path in pathlib.Path(SCHEMAS).glob("v1.*")), key=lambda name: int(name.split(".")[1]))

# Each a list of values files, as a user would give them.
CASES = {
    "small": [CHART / "values-small.yaml"],
    "production": [CHART / "values-production.yaml"],
    "everything": [HERE / "cases/everything.yaml"],
    "fixed": [HERE / "cases/everything.yaml", HERE / "cases/fixed.yaml"],
    "off": [CHART / "values-small.yaml", HERE / "cases/off.yaml"],
    "simulated": [HERE / "cases/simulated.yaml"],
}


def helm(*arguments, stdin=None):
    """Standard output, and standard error if it failed."""
    done = subprocess.run(["helm", *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr if done.returncode else None


def template(files, *arguments, version=NEWEST, stdin=None):
    values = [part for file in files for part in ("-f", file)]
    return helm("template", "test", CHART, "-n", "kyc", "--kube-version", version, *values, *arguments, stdin=stdin)


@functools.cache
def rendered(case, version=NEWEST):
    text, error = template(CASES[case], version=version)
    assert error is None, f"{case}: {error}"
    return text


def without_files(text):
    """Without what the chart only carries: rules, and dashboards of thousands of lines."""
    text = re.sub(r"(?m)^(  [\w-]+\.json:) \|\n(?:    .*\n|\s*\n)*", r"\1 (the file)\n", text)
    return re.sub(r"(?m)^(  groups:)\n(?:    .*\n|\s*\n)*", r"\1 (of the files)\n", text)


def kubeconform(text, version):
    """Exit code, and all that it said."""
    done = subprocess.run(
        [
            *["kubeconform", "-strict", "-summary", "-kubernetes-version", version.removeprefix("v")],
            *["-schema-location", SCHEMAS + "/{{ .NormalizedKubernetesVersion }}/{{ .ResourceKind }}{{ .KindSuffix }}.json"],
            *["-schema-location", SCHEMAS + "/crds/{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json"],
            "-",
        ],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def objects(text):
    return [one for one in yaml.safe_load_all(text) if one]


def find(case, kind, name="", version=NEWEST):
    """The one object of this kind with this end of its name."""
    fits = [
        one
        for one in objects(rendered(case, version))
        if one["kind"] == kind and one["metadata"]["name"].endswith(name)
    ]
    assert len(fits) == 1, f"{case}: {len(fits)} objects {kind} …{name}"
    return fits[0]


def pods(case, version=NEWEST):
    """Name and specification of the pods of each workload."""
    for one in objects(rendered(case, version)):
        if one["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield f"{one['kind']}/{one['metadata']['name']}", one["spec"]["template"]["spec"]


def values_of(files):
    """Values files laid over each other as Helm does, without the chart's own."""
    merged = {}
    for file in files:
        merged = overlaid(merged, yaml.safe_load(file.read_text()))
    return merged


def overlaid(under, over):
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    return {**under, **{key: overlaid(under.get(key), one) for key, one in over.items()}}


def leaves(values, path=()):
    """Each value that is no table of further ones. Tables whose keys are not the chart's are one value each."""
    for key, one in values.items():
        at = (*path, key)
        whole = key in ("config", "secrets", "podSecurityContext", "securityContext", "resources", "labels")
        if isinstance(one, dict) and one and not whole:
            yield from leaves(one, at)
        else:
            yield at, one


def without(values, path):
    """A copy in which this value is the chart's default again."""
    values = copy.deepcopy(values)
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return values


DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())


class Rendering(unittest.TestCase):
    maxDiff = None

    def test_lint_finds_nothing(self):
        for case, files in CASES.items():
            with self.subTest(case):
                values = [part for file in files for part in ("-f", file)]
                out, error = helm("lint", "--strict", CHART, *values)
                self.assertIsNone(error, out)

    def test_golden(self):
        """Shows in review what a change of a template does. GOLDEN=write takes it over."""
        for case in CASES:
            with self.subTest(case):
                file = HERE / f"golden/{case}.yaml"
                text = "".join(f"{line.rstrip()}\n" for line in without_files(rendered(case, "v1.34.0")).splitlines())
                if os.environ.get("GOLDEN") == "write":
                    file.write_text(text)
                self.assertMultiLineEqual(file.read_text(), text, f"{file}: GOLDEN=write takes it over")

    def test_rules_and_dashboards_are_the_charts_files(self):
        """What the golden files leave out."""
        carried = [one for one in objects(rendered("production")) if one["kind"] in ("PrometheusRule", "ConfigMap")]
        rules = next(one["spec"]["groups"] for one in carried if one["kind"] == "PrometheusRule")
        dashboards = next(one["data"] for one in carried if one["metadata"]["name"].endswith("-dashboards"))
        groups = [group for file in sorted(CHART.glob("rules/*.yaml")) for group in yaml.safe_load(file.read_text())["groups"]]
        self.assertTrue(groups)
        self.assertEqual(rules, groups)
        files = {file.name: json.loads(file.read_text()) for file in CHART.glob("dashboards/*.json")}
        self.assertTrue(files)
        self.assertEqual({name: json.loads(text) for name, text in dashboards.items()}, files)

    def test_every_schema_from_the_oldest_to_the_newest(self):
        versions = sorted(pathlib.Path(SCHEMAS).glob("v1.*"), key=lambda path: int(path.name.split(".")[1]))
        self.assertEqual(versions[0].name, "v1.29.0")
        for version in (path.name for path in versions):
            with self.subTest(version):
                code, told = kubeconform("\n---\n".join(rendered(case, version) for case in CASES), version)
                self.assertEqual(code, 0, told)
                self.assertIn("Invalid: 0, Errors: 0, Skipped: 0", told)

    def test_a_misspelt_field_is_no_kubernetes(self):
        """That the check above can fail, in Kubernetes's own objects and in others."""
        for kind, field in [("StatefulSet", "readinessProbe:"), ("ServiceMonitor", "namespaceSelector:"), ("Job", "backoffLimit:")]:
            text = rendered("production")
            self.assertIn(field, text)
            code, told = kubeconform(text.replace(field, f"x{field}"), NEWEST)
            self.assertEqual(code, 1)
            self.assertRegex(told, f"{kind} .* is invalid")

    def test_kube_score_finds_nothing_but_what_we_want_so(self):
        lines = (HERE / "kube-score.txt").read_text().splitlines()
        flags = list(filter(None, (line.split("#")[0].strip() for line in lines)))
        for case in ("small", "production", "fixed"):
            with self.subTest(case):
                done = subprocess.run(
                    ["kube-score", "score", "--output-format", "ci", "--kubernetes-version", "v1.34", *flags, "-"],
                    input=rendered(case, "v1.34.0"),
                    capture_output=True,
                    text=True,
                    check=False,
                )
                bad = [line for line in done.stdout.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))]
                self.assertEqual(bad, [], done.stderr)
                self.assertIn("[OK]", done.stdout)


class Configuration(unittest.TestCase):
    def test_toml_says_what_the_values_say(self):
        """Any tree of values, with awkward keys and texts, read back by another implementation of TOML."""
        for seed in range(8):
            tree = Tree(random.Random(seed)).table(4)
            # Beside the tree, what the other templates look for.
            values = {**yaml.safe_load((CHART / "values-small.yaml").read_text()), "mode": "all"}
            values["config"] = {**tree, **values["config"]}
            # YAML 1.1, with its own escapes: JSON's surrogate pairs are none.
            text, error = template(["-"], "--skip-schema-validation", stdin=yaml.safe_dump(values))
            self.assertIsNone(error, f"seed {seed}")
            wanted = overlaid(DEFAULTS["config"], values["config"])
            self.assertEqual(relay_toml(text), without_nulls(wanted), f"seed {seed}")

    def test_the_service_takes_each_rendered_configuration(self):
        for case, files in CASES.items():
            with self.subTest(case), tempfile.TemporaryDirectory() as folder:
                # The ConfigMap of the Job first: it is the one that guards an upgrade.
                for one in objects(rendered(case)):
                    if one["kind"] == "ConfigMap" and "relay.toml" in (one["data"] or {}):
                        errors = config_check(folder, one["data"]["relay.toml"], values_of(files)["secrets"])
                        self.assertEqual(errors, [])

    def test_a_mistake_in_the_configuration_is_found(self):
        """That the check above can fail."""
        values = yaml.safe_load((CHART / "values-small.yaml").read_text())
        values["config"]["drain_timeout"] = "2h"
        text, error = template(["-"], stdin=json.dumps(values))
        self.assertIsNone(error)
        with tempfile.TemporaryDirectory() as folder:
            errors = config_check(folder, find_toml(text), values["secrets"])
        self.assertEqual(errors, ["error: drain_timeout: must be from 1s to 10m"])

    def test_the_schema_has_the_keys_of_the_service(self):
        self.assertEqual(config_schema.main(["--check"]), 0)

    def test_the_grace_period_is_made_of_the_drain_budget(self):
        for drain, seconds in [("25s", 35), ("1m30s", 100), ("1500ms", 12), ("1h", 3610), ("1m 1s", 71)]:
            values = yaml.safe_load((CHART / "values-small.yaml").read_text())
            values["config"]["drain_timeout"] = drain
            text, error = template(["-"], stdin=json.dumps(values))
            self.assertIsNone(error)
            (spec,) = (one["spec"]["template"]["spec"] for one in objects(text) if one["kind"] == "StatefulSet")
            self.assertEqual(spec["terminationGracePeriodSeconds"], seconds, drain)
            self.assertEqual(spec["containers"][0]["lifecycle"]["preStop"], {"sleep": {"seconds": 5}})

    def test_without_the_sleep_action_nothing_waits(self):
        spec = find("small", "StatefulSet", version="v1.29.0")["spec"]["template"]["spec"]
        self.assertNotIn("lifecycle", spec["containers"][0])
        self.assertEqual(spec["terminationGracePeriodSeconds"], 30)

    def test_reconcilers_do_not_wait_for_endpoints_that_they_are_not_in(self):
        spec = find("production", "StatefulSet")["spec"]["template"]["spec"]
        self.assertNotIn("lifecycle", spec["containers"][0])
        self.assertEqual(spec["terminationGracePeriodSeconds"], 30)


class Safety(unittest.TestCase):
    def test_pods_pass_the_standard_restricted(self):
        for case in CASES:
            for name, spec in pods(case):
                with self.subTest(f"{case} {name}"):
                    self.assertFalse(spec["automountServiceAccountToken"])
                    self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                    self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                    for key in ("hostNetwork", "hostPID", "hostIPC"):
                        self.assertNotIn(key, spec)
                    self.assertEqual([volume for volume in spec["volumes"] if "hostPath" in volume], [])
                    for container in spec["containers"]:
                        context = container["securityContext"]
                        self.assertFalse(context["allowPrivilegeEscalation"])
                        self.assertTrue(context["readOnlyRootFilesystem"])
                        self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                        self.assertNotIn("privileged", context)
                        self.assertIn("memory", container["resources"]["limits"])

    def test_no_secret_is_made_and_none_is_in_the_text(self):
        for case in CASES:
            kinds = {one["kind"] for one in objects(rendered(case))}
            self.assertNotIn("Secret", kinds)

    def test_the_admin_port_is_in_no_public_service(self):
        for case in CASES:
            for one in objects(rendered(case)):
                if one["kind"] == "Service" and one["spec"].get("clusterIP") != "None":
                    self.assertEqual([port["targetPort"] for port in one["spec"]["ports"]], ["webhooks"])

    def test_selectors_find_the_pods_they_are_meant_for(self):
        for case in CASES:
            labels = {}
            for one in objects(rendered(case)):
                if one["kind"] in ("Deployment", "StatefulSet", "Job"):
                    labels[one["metadata"]["name"].removeprefix("test-argos-relay")] = one["spec"]["template"]["metadata"]["labels"]
                    if one["kind"] != "Job":
                        self.assertLessEqual(
                            one["spec"]["selector"]["matchLabels"].items(),
                            one["spec"]["template"]["metadata"]["labels"].items(),
                        )

            def chosen(selector):
                return sorted(name for name, one in labels.items() if selector.items() <= one.items())

            serving = sorted(name for name in labels if not name.endswith("-topics"))
            doors = [name for name in serving if not name.endswith("-reconciler")]
            for one in objects(rendered(case)):
                if one["kind"] == "Service":
                    wanted = serving if one["spec"].get("clusterIP") == "None" else doors
                    self.assertEqual(chosen(one["spec"]["selector"]), wanted, f"{case} {one['metadata']['name']}")
                if one["kind"] in ("PodDisruptionBudget", "NetworkPolicy"):
                    selector = one["spec"].get("selector") or one["spec"]["podSelector"]
                    self.assertEqual(len(chosen(selector["matchLabels"])), 1, f"{case} {one['metadata']['name']}")

    def test_only_reconcilers_reach_argos_and_only_doors_take_webhooks(self):
        def ports(rules):
            return sorted({str(port["port"]) for rule in rules for port in rule["ports"]})

        door = find("production", "NetworkPolicy", "-ingest")["spec"]
        loop = find("production", "NetworkPolicy", "-reconciler")["spec"]
        job = find("production", "NetworkPolicy", "-topics")["spec"]
        self.assertEqual(ports(door["ingress"]), ["admin", "webhooks"])
        self.assertEqual(ports(door["egress"]), ["53", "9094"])
        self.assertEqual(ports(loop["ingress"]), ["admin"])
        self.assertEqual(ports(loop["egress"]), ["443", "53", "9094"])
        self.assertEqual((job.get("ingress", []), ports(job["egress"])), ([], ["53", "9094"]))
        for one in (door, loop, job):
            self.assertEqual(one["policyTypes"], ["Ingress", "Egress"])

    def test_a_changed_configuration_replaces_the_pods(self):
        def checksums(**config):
            values = yaml.safe_load((CHART / "values-small.yaml").read_text())
            values["config"].update(config)
            text, error = template(["-"], stdin=json.dumps(values))
            self.assertIsNone(error)
            return [
                one["spec"]["template"]["metadata"]["annotations"] for one in objects(text) if one["kind"] == "StatefulSet"
            ]

        self.assertEqual(checksums(), checksums())
        self.assertNotEqual(checksums(), checksums(drain_timeout="26s"))

    def test_names_stay_names(self):
        for release in ("a", "r" * 53):
            text, error = helm("template", release, CHART, "-f", HERE / "cases/everything.yaml", "--set", "fullnameOverride=")
            self.assertIsNone(error)
            for one in objects(text):
                self.assertLessEqual(len(one["metadata"]["name"]), 52, one["kind"])
                self.assertRegex(one["metadata"]["name"], "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")


class Values(unittest.TestCase):
    def test_unknown_and_wrong_values_are_refused(self):
        """Each file of refused/ says in its first line what the error must name."""
        files = sorted((HERE / "refused").glob("*.yaml"))
        self.assertGreater(len(files), 10)
        for file in files:
            with self.subTest(file.name):
                wanted = file.read_text().splitlines()[0].removeprefix("# ")
                _, error = template([CHART / "values-small.yaml", file])
                self.assertIsNotNone(error, "it was taken")
                self.assertIn(wanted, error)

    def test_no_table_of_the_schema_is_open(self):
        """Every object says what may be in it; those that are Kubernetes's own, or names of the user's, are listed here."""
        open_ones = []

        def walk(schema, path):
            if schema.get("type") == "object":
                if schema.get("additionalProperties", True) is True:
                    open_ones.append(path)
            for key, one in schema.get("properties", {}).items():
                walk(one, f"{path}.{key}".lstrip("."))
            if "items" in schema:
                walk(schema["items"], f"{path}[]")
            if isinstance(schema.get("additionalProperties"), dict):
                walk(schema["additionalProperties"], f"{path}.*")

        walk(json.loads((CHART / "values.schema.json").read_text()), "")
        self.assertEqual(
            sorted(open_ones),
            sorted(
                """affinity extraContainers[] extraEnv[] extraVolumeMounts[] extraVolumes[] global httpRoute.parentRefs[]
                ingest.resources.claims[] networkPolicy.adminFrom[] networkPolicy.argosTo[] networkPolicy.collectorTo[]
                networkPolicy.dnsTo[]
                networkPolicy.extraEgress[] networkPolicy.extraIngress[] networkPolicy.kafkaTo[]
                networkPolicy.schemaRegistryTo[]
                networkPolicy.webhooksFrom[] podSecurityContext reconciler.resources.claims[] securityContext
                tolerations[] topics.resources.claims[]""".split()
            ),
        )

    def test_the_schema_and_the_values_name_the_same(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        for path, _ in leaves(DEFAULTS):
            inner = schema
            for key in path:
                self.assertIn(key, inner.get("properties", {}), ".".join(path))
                inner = inner["properties"][key]
        documented = {".".join(path[: at + 1]) for path, _ in leaves(DEFAULTS) for at in range(len(path))}

        def walk(one, path):
            for key, inner in one.get("properties", {}).items():
                at = f"{path}.{key}".lstrip(".")
                if at not in ("global", "config") and not at.endswith(".resources"):
                    # Of a probe, what has a default stands there; the other fields are Kubernetes's.
                    if not at.startswith("probes.") or at.count(".") == 1:
                        self.assertIn(at, documented, "in the schema, not in values.yaml")
                        walk(inner, at)

        walk({**schema, "properties": {key: one for key, one in schema["properties"].items() if key != "image"}}, "")

    def test_every_value_has_a_comment(self):
        """The line before each key of values.yaml is a comment; tables of Kubernetes's own fields need one for the whole."""
        lines = (CHART / "values.yaml").read_text().splitlines()
        whole, missing = None, []
        for number, line in enumerate(lines):
            match = re.match(r"^( *)([A-Za-z]\w*):", line)
            if not match:
                continue
            indent, key = len(match[1]), match[2]
            if whole is not None and indent > whole:
                continue
            whole = indent if key in ("resources", "podSecurityContext", "securityContext", "dnsTo", "argosTo") else None
            if not lines[number - 1].lstrip().startswith("# "):
                missing.append(f"{number + 1}: {line}")
        self.assertEqual(missing, [])

    def test_no_template_uses_a_value_that_is_not_documented(self):
        used = set()
        for file in sorted((CHART / "templates").iterdir()):
            text = file.read_text()
            used |= set(re.findall(r"(?:\.|\$)(?:root\.)?Values\.([A-Za-z_.]+)", text))
            used |= set(re.findall(r"\$values\.([A-Za-z_.]+)", text))
        self.assertGreater(len(used), 60)
        documented = {".".join(path[: at + 1]) for path, _ in leaves(DEFAULTS) for at in range(len(path))}
        # Below `config` every key is the service's, and the schema's test looks after it.
        self.assertEqual({name for name in used if not name.startswith("config.")} - documented, set())

    def test_every_documented_value_does_something(self):
        """cases/everything.yaml sets each of them to something else; setting one back must show."""
        everything = values_of(CASES["everything"])
        fixed = values_of(CASES["fixed"])
        set_here = {path for path, _ in leaves(everything)}
        for path, default in leaves(DEFAULTS):
            name = ".".join(path)
            self.assertTrue(any(path == one[: len(path)] for one in set_here), f"{name} is not in cases/everything.yaml")
            inner = functools.reduce(lambda table, key: table[key], path, everything)
            self.assertNotEqual(inner, default, f"{name} is the default in cases/everything.yaml")
            if name in ("config", "secrets"):
                continue  # needed, and looked after above
            shows = False
            # Numbers of replicas stand aside for an autoscaler: so also with these off.
            for case, values in (("everything", everything), ("fixed", fixed)):
                text, error = template(["-"], stdin=json.dumps(without(values, path)))
                shows = shows or error is not None or text != rendered(case)
            self.assertTrue(shows, f"{name} is documented, and nothing uses it")


class Notes(unittest.TestCase):
    def test_they_say_what_to_register(self):
        def notes(case, *arguments):
            values = [part for file in CASES[case] for part in ("-f", file)]
            text, error = helm("install", "test", CHART, "-n", "kyc", "--dry-run=client", *values, *arguments)
            self.assertIsNone(error)
            return text.split("NOTES:")[1]

        small = notes("small")
        self.assertIn("https://argos-relay.example.com/webhooks/acme/TOKEN", small)
        self.assertIn("get secret argos-relay -o go-template='{{index .data \"acme-path-tokens\" | base64decode}}'", small)
        self.assertIn("Nobody but the kubelet reaches the admin port", small)
        self.assertNotIn("WARNING", small)
        production = notes("production")
        self.assertIn("https://argos-relay.example.com/webhooks/acme-business/TOKEN", production)
        self.assertNotIn("Nobody", production)
        alone = notes("small", "--set", "ingress.enabled=false", "--set", "config.ingest.trusted_proxies=null")
        self.assertIn("https://YOUR-HOST/webhooks/acme/TOKEN", alone)
        self.assertIn("Neither `ingress` nor `httpRoute` is on", alone)
        self.assertIn("WARNING: a project checks `source_ip`", alone)


class Tree:
    """Random values as a file of values can hold them."""

    TEXTS = ["", "plain", 'a "quoted" one', "back\\slash", "two\nlines\tand a tab", "김민지 ü \U0001f600", "\x7f\u2028<&>", "# no comment", "12", "true", "{{ .Values }}"]
    KEYS = ["plain", "with_underscore", "with-dash", "with.dot", "with space", 'with"quote', "ünïcode", "1", "x]", "#"]

    def __init__(self, chance):
        self.chance = chance

    def table(self, depth):
        keys = self.chance.sample(self.KEYS, self.chance.randint(0, 6))
        return {key: self.value(depth - 1) for key in keys}

    def value(self, depth):
        kind = self.chance.randint(0, 7 if depth > 0 else 4)
        if kind == 0:
            return self.chance.choice([0, 1, -7, 12, 400000, 1000000, 123456789012, True, False])
        if kind == 1:
            return self.chance.choice([0.5, 2.25, -0.001, 1234567.5])
        if kind == 2:
            return [self.chance.choice(self.TEXTS) for _ in range(self.chance.randint(0, 3))]
        if kind == 3:
            return [[1, 2], ["a"], []]
        if kind == 4:
            return self.chance.choice([*self.TEXTS, None])
        if kind == 5:
            return [self.table(depth - 1) for _ in range(self.chance.randint(1, 3))]
        return self.table(depth - 1)


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def find_toml(text):
    return next(one["data"]["relay.toml"] for one in objects(text) if one["kind"] == "ConfigMap")


def relay_toml(text):
    return tomllib.loads(find_toml(text))


def config_check(folder, text, secrets):
    """The errors of the service itself, with the files and the variable that a pod has."""
    base = pathlib.Path(folder)
    (base / "secrets").mkdir(exist_ok=True)
    # Ends in the pod's mount; the check reads the file.
    (base / "relay.toml").write_text(text.replace("/etc/argos-relay/", f"{folder}/"))
    for name in secrets:
        (base / "secrets" / name).write_text("0123456789abcdef0123456789abcdef\n")
    done = subprocess.run(
        [BINARY, "config", "check", "--config", base / "relay.toml"],
        env={"ARGOS_RELAY__KAFKA__INSTANCE_ID": "test-argos-relay-0"},
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode == 0) == (not errors), done.stderr
    # A binary without the cargo feature `kafka-tls` knows these properties not; the image has it.
    tls = r"error: kafka\.properties\.(security\.protocol|ssl\..*): librdkafka does not know"
    return [line for line in errors if not re.match(tls, line)]


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    failed = len({str(test).split(" [")[0] for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed", flush=True)
    sys.exit(not result.wasSuccessful())
