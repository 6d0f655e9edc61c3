#!/usr/bin/env bash
# Sees to it that tools for the chart are there; builds what is absent with go into .cache/helm/bin (helm takes some minutes,
# once), and prints that folder.   get.sh TOOL...   with TOOL one of: helm kubeconform kube-score
# Exit codes: 0 all are there, 64 unknown tool, 69 one cannot be had.
set -euo pipefail

bin=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.cache/helm/bin
mkdir -p "$bin"
export PATH=$bin:$PATH

module_of() {
    case $1 in
        helm) echo helm.sh/helm/v4/cmd/helm@v4.3.1 ;;
        kubeconform) echo github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0 ;;
        kube-score) echo github.com/zegl/kube-score/cmd/kube-score@v1.20.0 ;;
        *) echo "get.sh: unknown tool $1" >&2; exit 64 ;;
    esac
}

for tool in "$@"; do
    ! command -v "$tool" >/dev/null || continue
    module=$(module_of "$tool")
    command -v go >/dev/null || { echo "Please install $tool, or go to build it" >&2; exit 69; }
    echo "Building $tool into $bin" >&2
    GOBIN=$bin go install "$module" >&2 || exit 69
done
echo "$bin"
