//! The document of `status` as people read it: what wants attention first, then the figures.

use super::moment::Moment;
use super::status::{Project, Status};
use std::fmt::Write as _;

/// What wants an operator's attention, in plain words; empty if all is well.
pub fn attention(status: &Status) -> Vec<String> {
    let mut found = Vec::new();
    for condition in status.health.ready.conditions.iter().filter(|condition| !condition.ok) {
        found.push(format!(
            "not ready: {}: {}",
            condition.name,
            condition.reason.as_deref().unwrap_or("it does not say why")
        ));
    }
    let total = status.partitions.total.max(0) as usize;
    let unheld = total.saturating_sub(held_by_all(status));
    // Without any member Kafka does not answer, or everything is being divided anew: others tell that.
    if unheld > 0 && !status.members.is_empty() {
        found.push(format!("{unheld} of {} partitions are held by nobody at this moment", status.partitions.total));
    }
    for project in &status.projects {
        found.extend(trouble(project).into_iter().map(|trouble| format!("project {}: {trouble}", project.id)));
    }
    found
}

fn held_by_all(status: &Status) -> usize {
    status.members.iter().map(|member| member.partitions.len()).sum()
}

fn trouble(project: &Project) -> Vec<String> {
    let mut found = Vec::new();
    if project.breaker.state != "closed" {
        let since = project.breaker.since.map(|since| format!(" since {since}")).unwrap_or_default();
        let why = project.breaker.reason.as_deref().unwrap_or("it does not answer");
        let hint = if why.contains("refuses") {
            "; check the API key and that our address is on ARGOS's list (`doctor`)"
        } else {
            "; what waits is kept, and goes on by itself"
        };
        found.push(format!("ARGOS is not asked{since}: {why}{hint}"));
    }
    let budget = &project.budget;
    let share = budget.per_day as f64 * budget.share;
    if share > 0.0 && budget.spent_today as f64 >= share {
        found.push(format!("this replica's share of today's {} requests is spent", budget.per_day));
    }
    let queue = &project.queue;
    if queue.parked > 0 {
        found.push(format!("{} looks are set aside: no budget, or ARGOS is not asked", queue.parked));
    }
    // What waits longer than ten seconds at this rate is no burst.
    let waits = queue.live as f64 / budget.rate_now.max(f64::MIN_POSITIVE);
    if queue.live > 0 && waits > 10.0 {
        found.push(format!(
            "{} live looks wait for budget: {} requests a second are made here",
            queue.live, budget.rate_now
        ));
    }
    if project.deletions.max_per_hour > 0 && project.deletions.this_hour >= project.deletions.max_per_hour {
        found.push("the hourly cap on deletions is reached; more wait".to_owned());
    }
    for walk in project.sweeps.iter().filter(|walk| walk.complete == Some(false)) {
        found.push(format!("the last walk `{}` did not come to the list's end", walk.name));
    }
    found
}

/// The document as a terminal shows it: what wants attention first.
pub fn as_text(status: &Status) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _infallible = write_text(status, &mut text);
    text
}

fn write_text(status: &Status, text: &mut String) -> std::fmt::Result {
    let attention = attention(status);
    match attention.len() {
        0 => writeln!(text, "all is well")?,
        _ => attention.iter().try_for_each(|one| writeln!(text, "ATTENTION  {one}"))?,
    }
    let Status { instance, version, role, started_at, partitions, flow, .. } = status;
    writeln!(text, "replica    {instance}, role {role}, version {version}, started {started_at}")?;
    let entries: u64 = partitions.held.iter().map(|held| held.entries).sum();
    writeln!(text, "partitions {} of {} here, {entries} submissions", partitions.held.len(), partitions.total)?;
    for held in partitions.held.iter().filter(|held| held.state != "ready") {
        let note = held.note.as_deref().unwrap_or_default();
        writeln!(text, "           {} is {}, {:.0} % read {note}", held.partition, held.state, held.restored * 100.0)?;
    }
    for member in &status.members {
        let numbers: Vec<String> = member.partitions.iter().map(ToString::to_string).collect();
        writeln!(text, "member     {}: {}", member.instance, numbers.join(" "))?;
    }
    writeln!(
        text,
        "a second   webhooks {:.1}, refused {:.1}, hints {:.1}, coalesced {:.1}, GETs {:.1}, events {:.1}, commits {:.1}",
        flow.webhooks, flow.refused, flow.hints, flow.coalesced, flow.gets, flow.events, flow.commits
    )?;
    status.projects.iter().try_for_each(|project| project_text(project, text))
}

fn project_text(project: &Project, text: &mut String) -> std::fmt::Result {
    let Project { id, breaker, budget, queue, .. } = project;
    writeln!(text, "\nproject    {id}, breaker {}", breaker.state)?;
    writeln!(
        text,
        "budget     {} of {} requests/s here, {} spent today of this replica's {:.0}",
        budget.rate_now,
        budget.per_second,
        budget.spent_today,
        budget.per_day as f64 * budget.share
    )?;
    writeln!(
        text,
        "looks      waiting {} live, {} bulk, {} unknown; {} under way; {} due; {} set aside",
        queue.live, queue.bulk, queue.unknown, queue.in_flight, queue.due, queue.parked
    )?;
    for walk in &project.sweeps {
        let when = |moment: Option<Moment>| moment.map_or_else(|| "-".to_owned(), |moment| moment.to_string());
        let part = walk.estimate.map(|part| format!(", {:.0} %", part * 100.0)).unwrap_or_default();
        writeln!(
            text,
            "walk       {:<8} {:<8} {} rows{part}; began {}, ended {}, next {}",
            walk.name,
            walk.state,
            walk.rows,
            when(walk.started_at),
            when(walk.finished_at),
            when(walk.due_at)
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn status(change: impl FnOnce(&mut Value)) -> Status {
        let at = "2026-03-02T05:27:56.279Z";
        let mut told = json!({
            "instance": "relay-0", "version": "0.1.0", "role": "all", "now": at, "started_at": at,
            "health": { "started": { "ok": true, "conditions": [] }, "ready": { "ok": true, "conditions": [] } },
            "partitions": { "total": 2, "held": [{
                "partition": 0, "state": "ready", "entries": 7, "restored": 1.0, "live_lag": 0.0, "bulk_lag": 0.0
            }] },
            "members": [{ "instance": "relay-0", "partitions": [0] }, { "instance": "relay-1", "partitions": [1] }],
            "projects": [{
                "id": "acme", "breaker": { "state": "closed", "since": null, "reason": null },
                "budget": { "per_second": 5.0, "rate_now": 2.5, "per_day": 1000, "spent_today": 3, "share": 0.5 },
                "queue": { "live": 0, "bulk": 0, "unknown": 0, "in_flight": 0, "due": 0, "parked": 0 },
                "deletions": { "max_per_hour": 10, "this_hour": 0 },
                "sweeps": [{ "name": "recent", "state": "running", "rows": 40, "estimate": 0.4, "started_at": at,
                    "finished_at": null, "due_at": null, "complete": null }]
            }],
            "flow": { "webhooks": 1.24, "hints": 1.2, "coalesced": 0.1, "gets": 1.3, "events": 0.9, "commits": 3.1, "refused": 0.0 },
            "totals": { "webhooks": 12.0, "hints": 12.0, "coalesced": 1.0, "gets": 13.0, "events": 9.0, "commits": 31.0, "refused": 0.0 }
        });
        change(&mut told);
        serde_json::from_value(told).unwrap()
    }

    #[test]
    fn a_calm_replica_is_told_in_figures() {
        let calm = status(|_| {});
        assert_eq!(attention(&calm), [""; 0]);
        assert_eq!(
            as_text(&calm),
            "all is well\n\
             replica    relay-0, role all, version 0.1.0, started 2026-03-02T05:27:56.279Z\n\
             partitions 1 of 2 here, 7 submissions\n\
             member     relay-0: 0\n\
             member     relay-1: 1\n\
             a second   webhooks 1.2, refused 0.0, hints 1.2, coalesced 0.1, GETs 1.3, events 0.9, commits 3.1\n\
             \n\
             project    acme, breaker closed\n\
             budget     2.5 of 5 requests/s here, 3 spent today of this replica's 500\n\
             looks      waiting 0 live, 0 bulk, 0 unknown; 0 under way; 0 due; 0 set aside\n\
             walk       recent   running  40 rows, 40 %; began 2026-03-02T05:27:56.279Z, ended -, next -\n"
        );
    }

    #[test]
    fn whatever_wants_attention_comes_first_with_what_to_do() {
        type Trouble = (fn(&mut Value), &'static str);
        let troubles: [Trouble; 8] = [
            (
                |told| {
                    told["health"]["ready"]["conditions"] =
                        json!([{ "name": "ledger", "ok": false, "reason": "partition 3 restoring" }]);
                },
                "not ready: ledger: partition 3 restoring",
            ),
            (
                |told| drop(told["members"].as_array_mut().unwrap().pop()),
                "1 of 2 partitions are held by nobody at this moment",
            ),
            (
                |told| {
                    told["projects"][0]["breaker"] = json!({ "state": "open", "since": null, "reason": "ARGOS refuses the API key or our address: 403" });
                },
                "project acme: ARGOS is not asked: ARGOS refuses the API key or our address: 403; check the API key and that our address is on ARGOS's list (`doctor`)",
            ),
            (
                |told| told["projects"][0]["breaker"]["state"] = json!("half_open"),
                "project acme: ARGOS is not asked: it does not answer; what waits is kept, and goes on by itself",
            ),
            (
                |told| told["projects"][0]["budget"]["spent_today"] = json!(500),
                "project acme: this replica's share of today's 1000 requests is spent",
            ),
            (
                |told| told["projects"][0]["queue"]["parked"] = json!(3),
                "project acme: 3 looks are set aside: no budget, or ARGOS is not asked",
            ),
            (
                |told| told["projects"][0]["queue"]["live"] = json!(26),
                "project acme: 26 live looks wait for budget: 2.5 requests a second are made here",
            ),
            (
                |told| told["projects"][0]["sweeps"][0]["complete"] = json!(false),
                "project acme: the last walk `recent` did not come to the list's end",
            ),
        ];
        for (change, expected) in troubles {
            let told = status(change);
            assert_eq!(attention(&told), [expected]);
            assert!(as_text(&told).starts_with(&format!("ATTENTION  {expected}\n")), "{}", as_text(&told));
        }
        let burst = status(|told| told["projects"][0]["queue"]["live"] = json!(25));
        assert_eq!(attention(&burst), [""; 0], "ten seconds of work are no trouble");
    }
}
