#!/usr/bin/env bash
# Builds the examples, types out of contracts/schemas included, with what their lock files name. Installs the tools that
# are absent where it can.   build.sh [python] [typescript] [go] [java] [rust]      default: all
#
# Exit codes: 0 done, 1 an example does not build, 64 no such example, 69 a tool cannot be had here.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
examples=$root/examples
schemas=$root/contracts/schemas

build_python() {
    "$root/tests/prerequisites.sh" python-venv || exit 69
    local venv name
    venv=$("$root/tests/venv.sh" consumers "$examples/python/requirements.txt") || exit 69
    mkdir -p "$examples/python/contract"
    for name in state approved; do
        "$venv/bin/datamodel-codegen" --input "$schemas/kyc.submission.$name.v1.json" --input-file-type jsonschema \
            --output "$examples/python/contract/$name.py" --output-model-type pydantic_v2.BaseModel \
            --target-python-version 3.11 --class-name "KycSubmission${name^}V1" --disable-timestamp --formatters builtin
    done
}

build_typescript() {
    "$root/tests/prerequisites.sh" node npm || exit 69
    cd "$examples/typescript"
    # No package runs a script of its own.
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    npm run -s build
}

build_go() {
    "$root/tests/prerequisites.sh" go || exit 69
    cd "$examples/go"
    mkdir -p contract build
    go generate ./...
    go vet ./...
    go build -o build/consumer .
    go build -o build/cloudevents ./cloudevents
}

build_java() {
    "$root/tests/prerequisites.sh" java javac mvn || exit 69
    mvn -B -q -f "$examples/java/pom.xml" process-classes
}

# The types in src/contract are kept, so that a build needs no generator; here they are made anew, and must be the same.
build_rust() {
    "$root/tests/prerequisites.sh" cc c++ make || exit 69
    local typify=$root/.cache/typify
    if ! "$typify/bin/cargo-typify" typify --version 2>/dev/null | grep -q ' 0\.6\.2$'; then
        cargo install -q cargo-typify --version 0.6.2 --locked --debug --root "$typify" || exit 69
    fi
    "$examples/rust/contract.sh" "$typify/bin/cargo-typify" --check
    cd "$root"
    cargo build -q --workspace --features argos-relay/dev --bin argos-relay --bin example-consumer
}

[ $# -gt 0 ] || set -- python typescript go java rust
for language in "$@"; do
    [ "$(type -t "build_$language")" = function ] || { echo "build.sh: no example in $language" >&2; exit 64; }
    echo "Building the consumer in $language" >&2
    # A shell of its own: `set -e` holds in it, and its folder is its own.
    ("build_$language")
done
