#!/usr/bin/env bash
# A real schema registry for the test `registry`: Apicurio Registry, which speaks Confluent's protocol too, and Confluent's own
# client for Python. Both are fetched once, in pinned versions.
#
#   run.sh --where              prints the jar that runs the registry, then the Python that has the client
#   run.sh PORT                 becomes the registry, on 127.0.0.1; what it keeps ends with it
#
# Exit code 69: something cannot be had here.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: run.sh --where | PORT" >&2; exit 64; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# The last one that runs on Java 17.
version=3.0.9
checksum=2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43
home=$root/.cache/registry-$version
jar=$home/apicurio-registry-app-$version-runner.jar

# Into a repository of its own, whose paths are known; only the archive is kept, unpacked. Later versions of the plugin want
# the POM of its parent, too, which says nothing here.
fetch() {
    local scratch archive
    scratch=$(mktemp -d "$root/.cache/registry-XXXXXX")
    trap 'rm -rf "$scratch"' RETURN
    mvn -B -q -Dmaven.repo.local="$scratch" org.apache.maven.plugins:maven-dependency-plugin:2.8:get -Dtransitive=false \
        -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" >&2 || return 1
    archive=$scratch/io/apicurio/apicurio-registry-app/$version/apicurio-registry-app-$version-all.tar.gz
    echo "$checksum  $archive" | sha256sum --check --quiet >&2 || return 1
    mkdir "$scratch/home" && tar -xzf "$archive" -C "$scratch/home" && rm -rf "$home" && mv "$scratch/home" "$home"
}

if [ ! -e "$jar" ]; then
    "$root/tests/prerequisites.sh" java mvn || exit 69
    mkdir -p "$root/.cache"
    exec 9>"$home.lock"
    flock 9
    [ -e "$jar" ] || { echo "Fetching Apicurio Registry into $home" >&2; fetch; } || exit 69
fi
if [ "$1" = --where ]; then
    venv=$("$root/tests/venv.sh" registry "$here/requirements.txt") || exit 69
    echo "$jar"
    echo "$venv/bin/python"
    exit 0
fi
exec java -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$1" \
    -Dquarkus.http.access-log.enabled=false -jar "$jar"
