#!/usr/bin/env python3
"""Makes the folder of JSON schemas that kubeconform reads.

    schemas.py TARGET CRD_FOLDER...

Kubernetes's own come from the package kubernetes-validate, which names files differently and points with absolute ids;
those of custom resources from the CRDs in the given folders.
"""

import json
import pathlib
import shutil
import sys

import yaml

OLDEST = 29
# Of the many that the folders have.
USED = ("servicemonitors", "prometheusrules", "scaledobjects", "httproutes")

# A bare `=`, as in a list of operators, is text to everybody but YAML 1.1.
yaml.SafeLoader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_yaml_str)


def relative(node):
    """The same without `$id`, and with references that need no address."""
    if isinstance(node, list):
        return [relative(one) for one in node]
    if not isinstance(node, dict):
        return node
    # Both are also names of properties, in the schema of schemas: then no text follows.
    clean = {key: relative(one) for key, one in node.items() if key != "$id" or not isinstance(one, str)}
    reference = clean.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        file, _, part = reference.partition("#")
        clean["$ref"] = f"{file.rsplit('/', 1)[-1]}#{part}"
    return clean


def kubernetes(target: pathlib.Path) -> None:
    import kubernetes_validate

    base = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    for folder in base.glob("v1.*-local-strict"):
        version = folder.name.removesuffix("-local-strict")
        if int(version.split(".")[1]) < OLDEST:
            continue
        into = target / version
        into.mkdir(parents=True)
        for file in folder.glob("*.json"):
            (into / file.name).write_text(json.dumps(relative(json.loads(file.read_text()))))


def closed(node):
    """An object with known fields takes no others: a misspelt one is a mistake, not pruned."""
    if isinstance(node, list):
        return [closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {key: closed(one) for key, one in node.items()}
    if "properties" in node and "additionalProperties" not in node and not node.get("x-kubernetes-preserve-unknown-fields"):
        node["additionalProperties"] = False
    return node


def custom(target: pathlib.Path, folder: pathlib.Path) -> None:
    for file in folder.glob("*.yaml"):
        if not any(name in file.name for name in USED):
            continue
        for crd in yaml.safe_load_all(file.read_text()):
            if not crd or crd.get("kind") != "CustomResourceDefinition":
                continue
            group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"].lower()
            for version in crd["spec"]["versions"]:
                into = target / "crds" / group
                into.mkdir(parents=True, exist_ok=True)
                schema = version["schema"]["openAPIV3Schema"]
                # Of every object, and not spelt out in a CRD.
                schema["properties"]["metadata"] = {"type": "object", "additionalProperties": True}
                (into / f"{kind}_{version['name']}.json").write_text(json.dumps(closed(schema)))


def main(target: str, *folders: str) -> None:
    shutil.rmtree(target, ignore_errors=True)
    into = pathlib.Path(target)
    kubernetes(into)
    for folder in folders:
        custom(into, pathlib.Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
