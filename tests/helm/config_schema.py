#!/usr/bin/env python3
"""Keeps the part `config` of the chart's values.schema.json to the keys of argos-relay.example.toml.

The example shows every key of the service (a test of the configuration holds it to that), so a key that is new there is
either taken over here, or `--check` fails. A secret that can stand in a file of its own can stand there only: the chart
has no other place for it than a ConfigMap.

    config_schema.py --check | --write
"""

import json
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "crates/relay/argos-relay.example.toml"
SCHEMA = ROOT / "helm/argos-relay/values.schema.json"

# Not the user's: the chart sets it to the pod's name.
OURS = {"kafka.instance_id"}
# Names that librdkafka gives its secrets. They end up in a ConfigMap unless they come from a file.
SECRET_PROPERTY = r"(password|passphrase|secret|credentials?|\.key\.pem|oauthbearer\.config)$"
SIZE = re.compile(r"^\d+(KiB|MiB)$")
# A key or a table that is shown as an alternative: one `#` right before it.
SHOWN = re.compile(r'^#(?=(\[{1,2}[a-z_.]+\]{1,2}|"?[a-z_.]+"? = ))')


def every_key(text: str) -> dict:
    """The example with its alternatives switched on."""
    return tomllib.loads("\n".join(SHOWN.sub("", line) for line in text.splitlines()))


def schema_of(value, path: str) -> dict:
    """A schema that takes what looks like this value."""
    if path == "kafka.properties":
        plain = {"type": ["string", "number", "boolean"]}
        return {"type": "object", "propertyNames": {"not": {"pattern": SECRET_PROPERTY}}, "additionalProperties": plain}
    if isinstance(value, dict):
        inner = {}
        for key, one in sorted(value.items()):
            at = f"{path}.{key}".lstrip(".")
            if at not in OURS and f"{key}_file" not in value:
                inner[key] = schema_of(one, at)
        return {"type": "object", "additionalProperties": False, "properties": inner}
    if isinstance(value, list):
        if value and all(isinstance(one, dict) for one in value):
            merged = {key: one for table in value for key, one in table.items()}
            return {"type": "array", "items": schema_of(merged, path)}
        return {"type": "array", "items": {"type": "string"}}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "integer"}
    if isinstance(value, float):
        return {"type": "number"}
    if isinstance(value, str) and SIZE.match(value):
        return {"type": ["string", "integer"]}
    return {"type": "string"}


def config_schema(text: str) -> dict:
    """All of `config`, with what has no default required."""
    schema = schema_of(every_key(text), "")
    schema["required"] = ["kafka", "personal_data", "projects"]
    inner = schema["properties"]
    inner["kafka"]["required"] = ["bootstrap_servers"]
    # An empty one is the default of the chart, and of no use.
    inner["kafka"]["properties"]["bootstrap_servers"]["minLength"] = 1
    inner["personal_data"]["required"] = ["digest_key_file"]
    inner["projects"]["minItems"] = 1
    inner["projects"]["items"]["required"] = ["id", "api_key_file"]
    return schema


def main(arguments: list[str]) -> int:
    schema = json.loads(SCHEMA.read_text())
    wanted = config_schema(EXAMPLE.read_text())
    if arguments == ["--write"]:
        schema["properties"]["config"] = wanted
        SCHEMA.write_text(json.dumps(schema, indent=2) + "\n")
        return 0
    if arguments != ["--check"]:
        print(__doc__, file=sys.stderr)
        return 64
    if schema["properties"]["config"] != wanted:
        print(
            f"{SCHEMA.relative_to(ROOT)} does not have the keys of {EXAMPLE.relative_to(ROOT)}: "
            "run tests/helm/config_schema.py --write",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
