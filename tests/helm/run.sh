#!/usr/bin/env bash
# Tests the Helm chart; no cluster. Fetches what is absent into .cache/helm: helm, kubeconform and kube-score with `go`
# (helm takes some minutes to build, once), Kubernetes's schemas from PyPI, CRDs as Go modules.
#
#   run.sh [ARGUMENTS OF python -m unittest]        GOLDEN=write rewrites tests/helm/golden
#   run.sh --tools                                  only fetches
#
# ARGOS_RELAY_BIN is the service that checks the rendered configuration; default target/debug/argos-relay.
# The last line reads "N passed, N failed". Exit codes: 0 all passed, 1 not, 69 a tool cannot be had.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=$root/.cache/helm
PATH=$("$here/get.sh" helm kubeconform kube-score):$PATH
export PATH

venv=$cache/venv
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    "$root/tests/prerequisites.sh" python-venv || exit 69
    rm -rf "$venv"
    echo "Installing Kubernetes's schemas into $venv" >&2
    { python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"; } >&2 || exit 69
    cp "$here/requirements.txt" "$venv/requirements.txt"
fi

# The CRDs whose objects the chart can make, as schemas.
crds() {
    command -v go >/dev/null || { echo "Please install go: the CRDs come as Go modules" >&2; exit 69; }
    # Outside of any module, or go would look into its go.mod.
    (cd "$cache" && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
}
if ! cmp -s "$here/schemas.py" "$cache/schemas/made-by"; then
    "$venv/bin/python" "$here/schemas.py" "$cache/schemas" \
        "$(crds github.com/prometheus-operator/prometheus-operator@v0.85.0)/example/prometheus-operator-crd" \
        "$(crds github.com/kedacore/keda/v2@v2.21.0)/config/crd/bases" \
        "$(crds sigs.k8s.io/gateway-api@v1.6.3)/config/crd/standard"
    cp "$here/schemas.py" "$cache/schemas/made-by"
fi
[ "${1:-}" != --tools ] || exit 0

cd "$here"
exec env SCHEMAS="$cache/schemas" PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" chart_tests.py "$@"
