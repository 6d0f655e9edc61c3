# One Kafka node in a pod, for `make k8s`: the very jars and the script of the other tests. Its context is a folder that
# run.sh makes: kafka/ is tests/kafka, jars/ what kafka/get.sh keeps.
FROM docker.io/library/debian:bookworm-slim
# The slim base has no folder for manual pages, and Java's package wants to link into it.
# hadolint ignore=DL3008
RUN mkdir -p /usr/share/man/man1 \
    && apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*
COPY kafka /kafka
COPY jars /jars
COPY serve.sh /serve.sh
ENV ARGOS_RELAY_CACHE=/jars
USER 65532:65532
ENTRYPOINT ["/serve.sh"]
