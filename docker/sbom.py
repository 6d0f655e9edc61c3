#!/usr/bin/env python3
"""What the image's binary is made of: a bill of materials and a list of licences. Needs cargo, and no network once the
crates are fetched.

    sbom.py FOLDER        writes FOLDER/sbom.cdx.json (CycloneDX 1.6) and FOLDER/licences.txt
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = "argos-relay"
# As docker/Dockerfile builds it.
FEATURES = "kafka-tls"
PLATFORM = "x86_64-unknown-linux-gnu"


def cargo(*arguments: str) -> str:
    return subprocess.run(["cargo", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def built() -> tuple[dict, dict]:
    """The package and all that it needs to run or to be built, and who needs what; nothing for tests only."""
    only_it = ["--package", PACKAGE, "--features", FEATURES, "--target", PLATFORM, "--edges", "normal,build"]
    # `cargo metadata` resolves the whole workspace, whose tests want more features than the binary has.
    names = set(cargo("tree", "--locked", *only_it, "--prefix", "none", "--no-dedupe", "--format", "{p}").splitlines())
    wanted = {tuple(name.removesuffix(" (proc-macro)").split(" ")[:2]) for name in names}
    arguments = ["--format-version", "1", "--locked", "--features", f"{PACKAGE}/{FEATURES}", "--filter-platform", PLATFORM]
    graph = json.loads(cargo("metadata", *arguments))
    packages = {one["id"]: one for one in graph["packages"] if (one["name"], f"v{one['version']}") in wanted}
    if len(packages) != len(wanted):
        sys.exit(f"{len(wanted)} packages in the tree, {len(packages)} in the metadata")
    edges = {
        node["id"]: sorted(
            dep["pkg"]
            for dep in node["deps"]
            if dep["pkg"] in packages and any(kind["kind"] != "dev" for kind in dep["dep_kinds"])
        )
        for node in graph["resolve"]["nodes"]
        if node["id"] in packages
    }
    return packages, edges


def purl(package: dict) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package: dict) -> dict:
    kind = "application" if package["name"] == PACKAGE else "library"
    licence = (package["license"] or "").replace("/", " OR ") or "NOASSERTION"
    found = {
        "type": kind,
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
        "licenses": [{"expression": licence}],
    }
    # The C library that this crate brings along and compiles: the crate's version names it after a plus.
    if package["name"] == "rdkafka-sys":
        version = package["version"].partition("+")[2]
        found["components"] = [
            {
                "type": "library",
                "bom-ref": f"pkg:generic/librdkafka@{version}",
                "name": "librdkafka",
                "version": version,
                "purl": f"pkg:generic/librdkafka@{version}",
                "licenses": [{"expression": "BSD-2-Clause"}],
            }
        ]
    return found


def main(folder: str) -> None:
    packages, edges = built()
    ordered = sorted(packages.values(), key=lambda one: (one["name"], one["version"]))
    components = [component(one) for one in ordered]
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": next(one for one in components if one["name"] == PACKAGE)},
        "components": [one for one in components if one["name"] != PACKAGE],
        "dependencies": [
            {"ref": purl(packages[one]), "dependsOn": sorted(purl(packages[needed]) for needed in edges[one])}
            for one in sorted(edges, key=lambda one: purl(packages[one]))
        ],
    }
    into = pathlib.Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    (into / "sbom.cdx.json").write_text(json.dumps(bom, indent=1) + "\n")
    flat = [inner for one in components for inner in (one, *one.get("components", []))]
    lines = [f"{one['name']} {one['version']} {one['licenses'][0]['expression']}\n" for one in flat]
    (into / "licences.txt").write_text("".join(lines))
    print(f"{len(flat)} components: {into}/sbom.cdx.json, {into}/licences.txt")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
