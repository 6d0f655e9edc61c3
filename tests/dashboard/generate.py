#!/usr/bin/env python3
"""Writes the Grafana dashboard: helm/argos-relay/dashboards/argos-relay.json. With --check it only says whether the file
is what it would write (exit code 1 if not). The tests hold every query to what a running service exposes.

A row is a title and its panels; a panel is (title, unit, what it shows and what is good, [(query, legend), ...]).
JOB and PROJECT stand for the label matchers of the dashboard's variables, RATE for Grafana's interval.
"""

import json
import pathlib
import sys

FILE = pathlib.Path(__file__).resolve().parents[2] / "helm/argos-relay/dashboards/argos-relay.json"
WIDTH, HEIGHT, ACROSS = 6, 7, 4


def rate(metric, by, matchers="JOB"):
    return f"sum by ({by}) (rate(argos_relay_{metric}{{{matchers}}}[RATE]))"


def total(metric, matchers="JOB"):
    return f"sum(rate(argos_relay_{metric}{{{matchers}}}[RATE]))"


def percentiles(metric):
    query = "histogram_quantile({q}, sum by (le) (rate(argos_relay_{metric}_bucket{{JOB}}[RATE])))"
    return [(query.format(q=q, metric=metric), f"p{int(q * 100)}") for q in (0.5, 0.95, 0.99)]


ROWS = [
    ("Does it hold?", [
        ("Confirmed in time", "percentunit",
         "Share of the webhooks confirmed within a minute and the time of one GET. The objective is 99 %.",
         [('sum(rate(argos_relay_hint_confirm_lag_seconds_bucket{JOB,le=~"70|70\\\\.0"}[RATE]))'
           " / sum(rate(argos_relay_hint_confirm_lag_seconds_count{JOB}[RATE]))", "in time")]),
        ("Webhook to confirmed event", "s",
         "From taking a webhook in to the commit of what a GET confirmed.",
         percentiles("hint_confirm_lag_seconds")),
        ("Breaker", "none",
         "0: ARGOS is asked. 1: one probe is under way. 2: it is not asked, keys wait parked.",
         [("max by (project) (argos_relay_breaker_state{JOB,PROJECT})", "{{project}}")]),
        ("Kafka takes hints", "bool_yes_no",
         "Whether each replica could make a hint durable right now. No: its webhooks are answered 503.",
         [("argos_relay_kafka_available{JOB}", "{{instance}}")]),
    ]),
    ("Flow: webhooks, looks, events", [
        ("Flow", "ops",
         "What comes in, what shares a look with another, what ARGOS is asked, what is published. Events fall well below "
         "webhooks where several webhooks tell of one change.",
         [(total("webhooks_total", 'JOB,outcome="accepted"'), "webhooks accepted"),
          (total("hints_coalesced_total"), "hints without a look of their own"),
          (total("truth_requests_total"), "GETs"),
          (total("events_published_total"), "events")]),
        ("Webhooks by outcome", "reqps",
         "How the door answered. Everything but `accepted` and `ignored` is explained in the runbooks of lost and refused webhooks.",
         [(rate("webhooks_total", "outcome", "JOB,PROJECT") + " > 0", "{{outcome}}")]),
        ("Time to the 200", "s", "From a request's head to its answer, for accepted webhooks: mostly Kafka's acknowledgement.",
         percentiles("webhook_ack_seconds")),
        ("Events by type", "ops", "What consumers see.", [(rate("events_published_total", "type"), "{{type}}")]),
        ("Hints by lane and source", "ops", "What the loop reads. Sweeps and backfills go into the bulk lane.",
         [(rate("hints_total", "lane, source"), "{{lane}} {{source}}")]),
        ("Decisions", "ops", "What looks led to. `parked` and `failed` only set the key aside.",
         [(rate("decisions_total", "outcome") + " > 0", "{{outcome}}")]),
        ("Repaired without a webhook", "ops", "Changes that no webhook told, by what found them. Many by `sweep`: webhooks are lost.",
         [(rate("repaired_total", "cause"), "{{cause}}")]),
        ("Repeated and unconfirmed", "ops",
         "Webhooks with a signature seen before, and claims that ARGOS never showed. The second should be near zero.",
         [(total("webhook_repeats_total", "JOB,PROJECT"), "repeated webhooks"), (total("hint_unconfirmed_total"), "claims never shown")]),
    ]),
    ("Lanes and rechecks", [
        ("Keys that wait", "short", "Live goes first; it is set aside after 30 s. Bulk may take hours after a backfill.",
         [("sum by (project, class) (argos_relay_looks_waiting{JOB,PROJECT})", "{{project}} {{class}}")]),
        ("Looks under way", "short", "Single GETs at the same time, by replica; at most `reconciler.max_in_flight`.",
         [("argos_relay_looks_in_flight{JOB}", "{{instance}}")]),
        ("Rechecks due", "short", "Due and not even queued: should be zero at most times.",
         [("argos_relay_recheck_due{JOB}", "{{instance}}")]),
        ("Read and not committed", "short", "Hints whose outcome is not durable yet. A lane stops at 10,000 for a partition.",
         [("argos_relay_hints_unsettled{JOB}", "{{instance}}")]),
    ]),
    ("ARGOS and the budget", [
        ("GETs by outcome", "reqps", "`present` and `absent` are answers, all else failures.",
         [(rate("truth_requests_total", "outcome", "JOB,PROJECT") + " > 0", "{{outcome}}")]),
        ("Time of a GET", "s", "ARGOS's latency as we see it.", percentiles("truth_request_seconds")),
        ("Requests a second", "reqps", "What is asked, beside what the budget allows just now on all replicas.",
         [(total("truth_requests_total", "JOB,PROJECT"), "GETs"), (total("list_requests_total", "JOB,PROJECT"), "pages"),
          ("sum(argos_relay_budget_rate{JOB,PROJECT})", "allowed")]),
        ("Left of the day", "percentunit", "Share of `requests_per_day` that is left until midnight UTC.",
         [("sum by (project) (argos_relay_budget_remaining{JOB,PROJECT}) / max by (project) (argos_relay_budget_daily{JOB,PROJECT})",
           "{{project}}")]),
    ]),
    ("Sweeps", [
        ("Age of the walks", "s", "Since the last walk that came to its end began. It should rise to the interval and fall again.",
         [("min by (project, sweep) (argos_relay_sweep_age_seconds{JOB,PROJECT})", "{{project}} {{sweep}}")]),
        ("Intervals", "s", "How often each walk is configured to begin.",
         [("max by (project, sweep) (argos_relay_sweep_interval_seconds{JOB,PROJECT})", "{{project}} {{sweep}}")]),
        ("Pages by outcome", "reqps", "Pages of the list.", [(rate("list_requests_total", "outcome", "JOB,PROJECT") + " > 0", "{{outcome}}")]),
        ("Rows", "ops", "Rows of the list beside the ledger. `different` costs a look each, `equal` none.",
         [(rate("sweep_rows_total", "result"), "{{result}}")]),
    ]),
    ("Kafka and the ledger", [
        ("Hints not read yet", "short", "By topic; of the partitions that somebody owns.",
         [("sum by (topic) (argos_relay_kafka_consumer_lag{JOB})", "{{topic}}")]),
        ("Time of a commit", "s", "One transaction: events, snapshots, ledger and offsets together.", percentiles("commit_seconds")),
        ("Transactions", "ops", "`aborted` is tried again; `lost` reads the ledger again.",
         [(rate("kafka_transactions_total", "outcome"), "{{outcome}}")]),
        ("Hints to Kafka", "ops", "Anything but `acknowledged` is a webhook answered 503 or 429.",
         [(rate("hint_deliveries_total", "outcome"), "{{outcome}}")]),
        ("Partitions by phase", "short", "Of all replicas. `restoring` should pass within seconds to minutes.",
         [("sum by (phase) (argos_relay_ledger_partitions{JOB})", "{{phase}}")]),
        ("Entries in memory", "short", "Submissions, by replica.", [("argos_relay_ledger_entries{JOB}", "{{instance}}")]),
        ("Time of a restore", "s", "From the assignment of a partition to ready.", percentiles("ledger_restore_seconds")),
        ("Records in librdkafka's queues", "short", "By client and replica. Growth without end: Kafka is too slow.",
         [("argos_relay_kafka_queue_messages{JOB}", "{{instance}} {{client}}")]),
    ]),
    ("Errors", [
        ("Dead letters", "short", "In the last hour, by reason. Should be zero.",
         [("sum by (reason) (increase(argos_relay_dead_letters_total{JOB}[1h]))", "{{reason}}")]),
        ("Kafka's errors", "ops", "As librdkafka tells them.",
         [(rate("kafka_errors_total", "client, kind") + " > 0", "{{client}} {{kind}}")]),
        ("Deletions held", "short", "In the last hour: deletions beyond the hourly cap. Should be zero.",
         [("sum by (project) (increase(argos_relay_deletions_held_total{JOB,PROJECT}[1h]))", "{{project}}")]),
        ("Hints and records given up", "short",
         "In the last hour: hints that retention removed, and records larger than Kafka takes. Should be zero.",
         [("sum(increase(argos_relay_hints_expired_total{JOB}[1h]))", "hints expired"),
          ("sum(increase(argos_relay_records_too_large_total{JOB}[1h]))", "records too large")]),
        ("Age of secrets", "s", "Since the content in use was written.",
         [("max by (secret) (argos_relay_secret_age_seconds{JOB})", "{{secret}}")]),
        ("Secret files of no use", "short", "Looks of the last hour that found a file unreadable. Should be zero.",
         [("sum by (secret) (increase(argos_relay_secret_failures_total{JOB}[1h]))", "{{secret}}")]),
        ("Restores that wait", "short", "For somebody's open transaction. Should be zero.",
         [("argos_relay_ledger_open_transaction_waits{JOB}", "{{instance}}")]),
        ("ARGOS's clock went back", "short", "In the last hour: older times of ARGOS that were accepted in the end.",
         [("sum(increase(argos_relay_vendor_clock_regressed_total{JOB}[1h]))", "accepted")]),
    ]),
]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def filled(query):
    for word, text in (("JOB", 'job=~"$job"'), ("PROJECT", 'project=~"$project"'), ("RATE", "$__rate_interval")):
        query = query.replace(word, text)
    return query


def panel(number, at, title, unit, description, queries):
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"x": at[0], "y": at[1], "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 8, "lineWidth": 1, "showPoints": "never"}},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": filled(query), "legendFormat": legend}
            for index, (query, legend) in enumerate(queries)
        ],
    }


def panels():
    made, number, top = [], 0, 0
    for title, members in ROWS:
        number += 1
        made.append({"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
                     "gridPos": {"x": 0, "y": top, "w": WIDTH * ACROSS, "h": 1}})
        for index, member in enumerate(members):
            number += 1
            place = (index % ACROSS * WIDTH, top + 1 + index // ACROSS * HEIGHT)
            made.append(panel(number, place, *member))
        top += 1 + -(-len(members) // ACROSS) * HEIGHT
    return made


def variable(name, label, metric):
    query = f"label_values({metric}, {name})"
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "refresh": 2, "sort": 1,
        "definition": query, "query": {"query": query, "refId": name},
        "multi": True, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"},
    }


DASHBOARD = {
    "uid": "argos-relay",
    "title": "argos-relay",
    "description": "From ARGOS's webhooks to confirmed events: flow, lag, lanes, budget, sweeps, Kafka, errors.",
    "tags": ["argos-relay"],
    "schemaVersion": 39,
    "version": 1,
    "editable": True,
    "graphTooltip": 1,
    "timezone": "browser",
    "refresh": "30s",
    "time": {"from": "now-1h", "to": "now"},
    "templating": {"list": [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        variable("job", "Deployment", "argos_relay_kafka_available"),
        variable("project", "Project", "argos_relay_webhook_unauthenticated"),
    ]},
    "annotations": {"list": []},
    "links": [],
    "panels": panels(),
}


def main():
    text = json.dumps(DASHBOARD, indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        same = FILE.exists() and FILE.read_text(encoding="utf-8") == text
        print("the same" if same else f"{FILE.name} is not what {pathlib.Path(__file__).name} makes: run it")
        return 0 if same else 1
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
