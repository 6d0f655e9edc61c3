#!/usr/bin/env bash
# One real Apache Kafka node (KRaft, broker and controller in one) on 127.0.0.1, for tests.
#
#   broker.sh start DIR PORT     formats DIR if it is new, starts, returns once the node serves; no effect if it runs
#   broker.sh stop DIR           orderly stop (SIGTERM, after $KAFKA_STOP_SECONDS a SIGKILL)
#   broker.sh kill DIR           SIGKILL; returns once the process is gone
#   broker.sh restart DIR PORT   stop, then start on the same data
#
# DIR holds the data, server.properties, broker.log and broker.pid: all of the node's state, so a stopped node can be
# started again and several nodes do not meet. The controller listens on $KAFKA_CONTROLLER_PORT, default PORT + 1.
# What stands in DIR/more.properties goes over the properties below; each line of DIR/scram-users is one user's SCRAM
# credential for the formatting, as Kafka's storage tool takes it.
# With one $KAFKA_CLUSTER_ID for all, several nodes are one cluster; a node of it serves once a majority runs.
# Waits are bounded: $KAFKA_START_SECONDS (120) and $KAFKA_STOP_SECONDS (30).
# Exit codes: 0 done, 64 usage, 69 the node did not start or stop in time.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
start_seconds=${KAFKA_START_SECONDS:-120}
stop_seconds=${KAFKA_STOP_SECONDS:-30}

die() { local code=$1; shift; echo "broker.sh: $*" >&2; exit "$code"; }
usage() { sed -n '4,7s/^# *//p' "${BASH_SOURCE[0]}" >&2; exit 64; }

[ $# -ge 2 ] || usage
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
port=${3:-}
pid_file=$dir/broker.pid
log=$dir/broker.log
properties=$dir/server.properties

# The node's process id, if it runs. A zombie does not; neither does another process that got the same number.
running_pid() {
    local pid state
    [ -s "$pid_file" ] || return 1
    pid=$(<"$pid_file")
    kill -0 "$pid" 2>/dev/null || return 1
    state=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c1) || return 1
    [ "$state" != Z ] || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$properties" || return 1
    echo "$pid"
}

# Waits at most $1 seconds for the node to be gone.
await_gone() {
    local deadline=$((SECONDS + $1))
    while running_pid >/dev/null; do
        [ $SECONDS -lt "$deadline" ] || return 1
        sleep 0.05
    done
    rm -f "$pid_file"
}

write_properties() {
    local controller=${KAFKA_CONTROLLER_PORT:-$((port + 1))}
    cat >"$properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data

# Topics are made by "argos-relay topics apply", never by accident.
auto.create.topics.enable=false

# One node: no replicas, few internal partitions.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1

# Tests do not wait where a production broker is patient.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
num.network.threads=2
num.io.threads=4
PROPERTIES
    # Of a key that comes twice the last value holds.
    [ ! -e "$dir/more.properties" ] || cat "$dir/more.properties" >>"$properties"
    cat >"$dir/log4j2.properties" <<'PROPERTIES'
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
PROPERTIES
}

# The fast flags: a small heap, no parallel collector, no optimising compiler for a process that lives for minutes.
# KAFKA_COMPILER=4 has it all the same.
java_flags=(-Xmx"${KAFKA_HEAP:-512m}" -XX:+UseSerialGC -XX:TieredStopAtLevel="${KAFKA_COMPILER:-1}" -Xshare:auto
    -Dlog4j2.configurationFile="$dir/log4j2.properties")

format() {
    [ ! -e "$dir/data/meta.properties" ] || return 0
    local cluster=${KAFKA_CLUSTER_ID:-} user users=()
    if [ -e "$dir/scram-users" ]; then
        while read -r user; do users+=(--add-scram "$user"); done <"$dir/scram-users"
    fi
    # A Kafka UUID is 16 bytes as 22 characters of URL-safe base64; a leading dash would read as an option.
    [ -n "$cluster" ] || cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=' | sed 's/^-/A/')
    java "${java_flags[@]}" -cp "$libs/*" kafka.tools.StorageTool format -t "$cluster" -c "$properties" "${users[@]}" >"$dir/format.log" 2>&1 \
        || { tail -n 20 "$dir/format.log" >&2; die 69 "formatting $dir/data failed"; }
}

await_ready() {
    local deadline=$((SECONDS + start_seconds))
    until grep -q 'Kafka Server started' "$log" 2>/dev/null; do
        if ! running_pid >/dev/null; then
            # Between fork and exec the process is there, but not yet the broker.
            sleep 0.2
            running_pid >/dev/null || { tail -n 20 "$log" >&2; rm -f "$pid_file"; die 69 "the node on port $port ended while starting"; }
        fi
        if [ $SECONDS -ge "$deadline" ]; then
            tail -n 20 "$log" >&2
            die 69 "the node on port $port did not serve within $start_seconds s"
        fi
        sleep 0.1
    done
}

start() {
    [[ $port =~ ^[0-9]+$ ]] || usage
    if running_pid >/dev/null; then
        await_ready
        return 0
    fi
    rm -f "$pid_file"
    libs=$("$here/get.sh")
    write_properties
    format
    # The logs of all runs before are kept, one behind the other; readiness is read from this run's log only.
    [ ! -e "$log" ] || cat "$log" >>"$log.1"
    : >"$log"
    # Its own session, no inherited descriptors: it outlives the caller and holds none of the caller's pipes open.
    setsid java "${java_flags[@]}" -cp "$libs/*" kafka.Kafka "$properties" </dev/null >>"$log" 2>&1 &
    echo $! >"$pid_file"
    await_ready
}

stop() {
    local pid
    pid=$(running_pid) || { rm -f "$pid_file"; return 0; }
    kill -TERM "$pid" 2>/dev/null || true
    await_gone "$stop_seconds" && return 0
    echo "broker.sh: the node did not end within $stop_seconds s; killing it" >&2
    kill_node
}

kill_node() {
    local pid
    pid=$(running_pid) || { rm -f "$pid_file"; return 0; }
    kill -KILL "$pid" 2>/dev/null || true
    await_gone "$stop_seconds" || die 69 "process $pid survived SIGKILL for $stop_seconds s"
}

case $action in
    start) start ;;
    stop) stop ;;
    kill) kill_node ;;
    restart) stop; start ;;
    *) usage ;;
esac
