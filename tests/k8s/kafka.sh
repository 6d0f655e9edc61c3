#!/bin/bash
# The first process of the pod: a node that listens for other pods and is known under $ADVERTISED (host:port). Data in /data.
set -euo pipefail

port=${ADVERTISED##*:}
cat >/data/more.properties <<PROPERTIES
listeners=PLAINTEXT://0.0.0.0:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://$ADVERTISED
PROPERTIES
/kafka/broker.sh start /data "$port"
trap '/kafka/broker.sh stop /data; exit 0' TERM
# Ends when the node does.
tail -n +1 -F --pid="$(cat /data/broker.pid)" /data/broker.log &
wait $!
