//! Single answers, paging, periods and slices, without a server.

use super::*;
use crate::change::Change;
use crate::clock::ManualClock;
use std::collections::BTreeSet;

/// 2026-03-02T05:27:56.279Z
const START: i64 = 1_772_429_276_279;

struct Stage {
    world: World,
    config: Config,
    clock: ManualClock,
}

impl Stage {
    fn new(change: impl FnOnce(&mut Config)) -> Stage {
        let mut config = Config::default();
        change(&mut config);
        let clock = ManualClock::new(START);
        Stage { world: World::new(&config, clock.clock()), config, clock }
    }

    fn ask(&self, params: &[(&str, &str)], age: i64) -> Answer {
        let params: Vec<(String, String)> =
            params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let scene = Scene {
            world: &self.world,
            config: &self.config,
            project: "acme",
            webhook_url: Some("https://hooks.example/secret"),
            at: self.world.now() - age,
            short: false,
        };
        answer(&scene, &params)
    }

    fn ids(&self, params: &[(&str, &str)]) -> Vec<String> {
        ids(&self.ask(params, 0))
    }

    /// Follows `nextpageKey` to its absence; gives the pages' sizes and all ids.
    fn walk(&self, count: &str) -> (Vec<usize>, Vec<String>) {
        let (mut sizes, mut all, mut next) = (Vec::new(), Vec::new(), None::<(String, String)>);
        loop {
            let mut params = vec![("count", count)];
            if let Some((id, date)) = &next {
                params.extend([("nextpage_id", id.as_str()), ("nextpage_date", date.as_str())]);
            }
            let page = self.ask(&params, 0);
            sizes.push(ids(&page).len());
            all.extend(ids(&page));
            let key = &page.body["nextpageKey"];
            let Some(id) = key["id"].as_str() else {
                return (sizes, all);
            };
            next = Some((id.to_owned(), key["created_at"].as_str().unwrap().to_owned()));
        }
    }
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let items = answer.body["Items"].as_array().unwrap();
    items.iter().map(|item| item["submission_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn pages_over_equal_timestamps_give_every_row_once() {
    let stage = Stage::new(|_| {});
    for number in 0..500 {
        stage.world.create("acme", &format!("sub{number:04}")).unwrap();
    }
    let (sizes, all) = stage.walk("50");
    assert_eq!(sizes, [vec![50; 10], vec![0]].concat(), "a full last page is followed by an empty one");
    assert_eq!(all.len(), 500);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 500);
    assert_eq!(stage.walk("77").1.len(), 500);
    assert_eq!(stage.ids(&[]).len(), 50, "the default page");
}

#[test]
fn the_newest_comes_first_and_new_rows_do_not_disturb_a_walk() {
    let stage = Stage::new(|_| {});
    for number in 0..20 {
        stage.world.create("acme", &format!("sub{number:02}")).unwrap();
        stage.clock.advance(1);
    }
    let first = stage.ask(&[("count", "10")], 0);
    assert_eq!(ids(&first)[0], "sub19");
    stage.world.create("acme", "newer").unwrap();
    let key = &first.body["nextpageKey"];
    let rest = stage.ids(&[
        ("count", "10"),
        ("nextpage_id", key["id"].as_str().unwrap()),
        ("nextpage_date", key["created_at"].as_str().unwrap()),
    ]);
    assert_eq!((rest.len(), rest[0].as_str()), (10, "sub09"));
}

#[test]
fn periods_filter_by_creation_in_both_formats() {
    let stage = Stage::new(|_| {});
    for day in 0..4 {
        stage.world.create("acme", &format!("day{day}")).unwrap();
        stage.clock.advance(DAY_MS);
    }
    stage.world.set("acme", "day0", |state| state.kyc = crate::Kyc::Pending).unwrap();
    let both = [("start_date", "2026-03-03"), ("end_date", "2026-03-04")];
    assert_eq!(stage.ids(&both), ["day2", "day1"]);
    assert_eq!(stage.ids(&[("start_date", "20260303"), ("end_date", "20260304")]), ["day2", "day1"]);
    assert_eq!(stage.ask(&[("start_date", "3 March")], 0).status, 400);
}

#[test]
fn people_are_found_by_user_and_email() {
    let stage = Stage::new(|_| {});
    for number in 0..10 {
        stage.world.create("acme", &format!("sub{number}")).unwrap();
    }
    assert_eq!(stage.ids(&[("userid", "u-1005")]), ["sub5", "sub4"], "every fifth belongs to the user before");
    let email = crate::people::person(0).email;
    assert!(stage.ids(&[("email", email)]).contains(&"sub0".to_owned()));
    assert!(stage.ids(&[("userid", "u-9")]).is_empty());
}

#[test]
fn an_unknown_id_answers_as_configured() {
    for (setting, status) in [(UnknownId::EmptyItems, 200), (UnknownId::BadRequest, 400), (UnknownId::NotFound, 404)] {
        let stage = Stage::new(|config| config.unknown_id = setting);
        assert_eq!(stage.ask(&[("submission_id", "nobody")], 0).status, status);
    }
}

#[test]
fn a_stale_read_shows_the_state_before() {
    let stage = Stage::new(|_| {});
    stage.clock.advance(1_000);
    stage.world.create("acme", "a").unwrap();
    stage.clock.advance(1_000);
    stage
        .world
        .set("acme", "a", |state| {
            Change::Approve { by_hand: false }.apply(state, 0);
        })
        .unwrap();
    let result = |age| stage.ask(&[("submission_id", "a")], age);
    assert_eq!(result(0).body["Items"][0]["kyc"]["result"], "approved");
    assert!(!result(0).stale);
    let older = result(500);
    assert_eq!(older.body["Items"][0]["kyc"]["result"], "incomplete");
    assert!(older.stale);
    assert!(ids(&result(1_500)).is_empty(), "older than its creation: not there yet");
}

#[test]
fn deletions_show_or_vanish() {
    let stage = Stage::new(|_| {});
    for (id, hard) in [("soft", false), ("hard", true)] {
        stage.world.create("acme", id).unwrap();
        stage
            .world
            .set("acme", id, |state| {
                Change::Delete { hard }.apply(state, START);
            })
            .unwrap();
    }
    assert_eq!(stage.ask(&[("submission_id", "soft")], 0).body["Items"][0]["kyc"]["result"], "Deleted Submission");
    assert!(stage.ids(&[("submission_id", "hard")]).is_empty());
    assert_eq!(stage.ids(&[]), ["soft"]);
    assert_eq!(stage.world.history("acme", "hard").last().unwrap().0, "deleted");
}

#[test]
fn half_a_cursor_or_a_strange_slice_is_refused() {
    let stage = Stage::new(|config| config.list.max_count = 2_000);
    stage.world.create("acme", "a").unwrap();
    for params in [("nextpage_id", "a"), ("nextpage_date", "2026-03-02T05:27:56.279Z"), ("request_type", "everything")]
    {
        assert_eq!(stage.ask(&[params], 0).body["errorCode"], "invalid_parameter");
    }
    assert_eq!(stage.ask(&[("count", "5000")], 0).status, 400);
    let sliced = stage.ask(&[("submission_id", "a"), ("request_type", "aml")], 0);
    assert_eq!(sliced.body["Items"][0].as_object().unwrap().len(), 2);
}
