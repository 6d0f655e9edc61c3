#!/usr/bin/env bash
# Fetches the jars of the test broker from Maven Central and prints the folder that holds them.
# Cache: $ARGOS_RELAY_CACHE, default .cache/kafka of this repository. Skipped when the jars of this pom.xml are there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${ARGOS_RELAY_CACHE:-$(cd "$here/../.." && pwd)/.cache/kafka}
want=$(sha256sum "$here/pom.xml" | cut -c1-16)
libs=$cache/libs-$want

if [ ! -e "$libs/.complete" ]; then
    for tool in java mvn; do
        command -v "$tool" >/dev/null || { echo "get.sh: $tool is missing (Debian: openjdk-17-jre-headless, maven)" >&2; exit 69; }
    done
    mkdir -p "$cache"
    # Tests may ask for it at the same moment: the first one fetches, the others wait.
    exec 9>"$cache/.lock"
    flock -w 600 9 || { echo "get.sh: another download has held $cache/.lock for 10 minutes" >&2; exit 69; }
    if [ ! -e "$libs/.complete" ]; then
        rm -rf "$libs"
        echo "get.sh: fetching Apache Kafka into $libs" >&2
        mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs" >&2 \
            || { echo "get.sh: Maven could not fetch the jars" >&2; exit 69; }
        : >"$libs/.complete"
    fi
fi
echo "$libs"
