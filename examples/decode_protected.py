#!/usr/bin/env python3
"""Opens the protected fields of events and snapshots; the format is described in docs/protected-fields.md.

    decode_protected.py KEYS_FILE < values.jsonl

Reads one JSON document a line, as a consumer gets it from the events or the state topic, and writes it with every
protected field in clear. KEYS_FILE has lines of `id:base64 of 32 bytes`. Needs the package `cryptography`.
Exit 1 if a value cannot be opened.
"""

import base64
import json
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "sealed:v1:"
NONCE = 12


def read_keys(text):
    """Key id -> AES-GCM."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.split(":", 1) for line in lines if line and not line.startswith("#"))
    return {name: AESGCM(base64.b64decode(key)) for name, key in pairs}


def open_value(keys, project, submission, path, value):
    """The clear text; `value` itself if it is not sealed."""
    if value is None or not value.startswith(PREFIX):
        return value
    name, text = value[len(PREFIX) :].split(":", 1)
    sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    bound = f"{project}/{submission}|{path}".encode()
    return keys[name].decrypt(sealed[:NONCE], sealed[NONCE:], bound).decode()


def open_document(keys, document):
    """Opens all protected fields in place."""
    submission = document["submission"]

    def opened(path, value):
        return open_value(keys, submission["project"], submission["id"], path, value)

    submission["user_id"] = opened("submission.user_id", submission["user_id"])
    kyc = document.get("kyc")
    if kyc:
        kyc["reviewer"] = opened("kyc.reviewer", kyc["reviewer"])
        for reason in kyc["reasons"]:
            reason["text"] = opened("kyc.reasons[].text", reason["text"])
    return document


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 64
    with open(arguments[0], encoding="utf-8") as file:
        keys = read_keys(file.read())
    for number, line in enumerate(sys.stdin, start=1):
        try:
            print(json.dumps(open_document(keys, json.loads(line)), ensure_ascii=False))
        except (InvalidTag, KeyError, ValueError) as error:
            # The name of the error only: a message could carry content.
            print(f"line {number}: {type(error).__name__}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
