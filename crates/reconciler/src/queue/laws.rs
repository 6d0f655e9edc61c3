//! What holds for any order of events: nothing is lost or given twice, nobody waits for ever, the loop never spins, and
//! ARGOS is never asked more than the budget allows.

use super::*;
use proptest::prelude::*;

const PATIENCE: Duration = Duration::from_secs(30);
const PARTITIONS: i32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Push { class: Class, project: usize, partition: i32, count: u8 },
    Page { project: usize, wanted: bool },
    Answer { project: usize, kind: u8 },
    Hold(i32),
    Release(i32),
    Commit,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let project = 0..2_usize;
    let partition = 0..PARTITIONS;
    let class = prop::sample::select(Class::ALL.to_vec());
    let push = (class, project.clone(), partition.clone(), 1..20_u8)
        .prop_map(|(class, project, partition, count)| Step::Push { class, project, partition, count });
    let step = prop_oneof![
        4 => (0..2_000_i64).prop_map(Step::Pass),
        1 => (0..50_000_000_i64).prop_map(Step::Pass),
        4 => push,
        1 => (project.clone(), any::<bool>()).prop_map(|(project, wanted)| Step::Page { project, wanted }),
        3 => (project, 0..5_u8).prop_map(|(project, kind)| Step::Answer { project, kind }),
        1 => partition.clone().prop_map(Step::Hold),
        1 => partition.prop_map(Step::Release),
        3 => Just(Step::Commit),
    ];
    prop::collection::vec(step, 1..120)
}

/// A queue, what the ledger holds, and what is under way.
struct World {
    queue: Queue,
    now: i64,
    held: [bool; PARTITIONS as usize],
    ledger: HashMap<(i32, String), Standing>,
    /// Whether each request under way is the probe, by project.
    asked: [Vec<bool>; 2],
    requests: [f64; 2],
    pushed: usize,
    given: usize,
    dropped: usize,
}

const NAMES: [&str; 2] = ["acme", "beta"];
const BUDGETS: [ProjectBudget; 2] = [
    ProjectBudget { per_second: 2.0, per_day: 40, deletions_per_hour: 1, cost: 1 },
    ProjectBudget { per_second: 20.0, per_day: 1_000_000, deletions_per_hour: 1, cost: 3 },
];

impl World {
    fn new() -> World {
        let projects = NAMES.map(str::to_owned).into_iter().zip(BUDGETS);
        World {
            queue: Queue::new(projects, PATIENCE, Time::from_millis(0)),
            now: 0,
            held: [false; PARTITIONS as usize],
            ledger: HashMap::new(),
            asked: [Vec::new(), Vec::new()],
            requests: [0.0; 2],
            pushed: 0,
            given: 0,
            dropped: 0,
        }
    }

    fn now(&self) -> Time {
        Time::from_millis(self.now)
    }

    fn waiting(&self) -> usize {
        NAMES.iter().flat_map(|name| self.queue.waiting(name)).sum()
    }

    fn step(&mut self, step: &Step) {
        let now = self.now();
        match *step {
            Step::Pass(millis) => self.now += millis,
            Step::Push { class, project, partition, count } => {
                for _ in 0..if self.held[partition as usize] { count } else { 0 } {
                    let key = Key::parse(&format!("{}/{}", NAMES[project], self.pushed)).unwrap();
                    self.queue.push(class, Ticket { partition, key, queued_at: now }).unwrap();
                    self.pushed += 1;
                }
            }
            Step::Page { project, wanted } => self.queue.want_page(NAMES[project], wanted),
            Step::Answer { project, kind } => {
                if let Some(probe) = self.asked[project].pop() {
                    let error = match kind {
                        0 => Some(LookError::Denied("403".to_owned())),
                        1 => Some(LookError::Throttled { retry_after: None }),
                        2 => Some(LookError::Retry("timeout".to_owned())),
                        _ => None,
                    };
                    self.queue.record(NAMES[project], probe, error.as_ref(), now);
                }
            }
            Step::Hold(partition) => {
                if !std::mem::replace(&mut self.held[partition as usize], true) {
                    let durable = |name: &str| self.ledger.get(&(partition, name.to_owned())).copied();
                    self.queue.hold(partition, PARTITIONS, durable, now);
                }
            }
            Step::Release(partition) => {
                let before = self.waiting();
                self.queue.release(partition, now);
                self.dropped += before - self.waiting();
                self.held[partition as usize] = false;
            }
            Step::Commit => {
                for (partition, project, standing) in self.queue.standings_to_write(now) {
                    self.queue.standing_written(partition, &project, &standing, now);
                    self.ledger.insert((partition, project), standing);
                }
            }
        }
    }

    fn asks(&mut self, name: &str, cost: u32, probe: bool) {
        let project = NAMES.iter().position(|other| *other == name).unwrap();
        self.asked[project].push(probe);
        self.requests[project] += f64::from(cost);
    }

    /// Takes all there is, and checks what the queue says then.
    fn drain(&mut self) -> Result<(), TestCaseError> {
        let now = self.now();
        loop {
            match self.queue.next(now, |_, _| true) {
                Next::Look { ticket, probe } => {
                    self.given += 1;
                    let name = ticket.key.project().to_owned();
                    let project = NAMES.iter().position(|other| *other == name).unwrap();
                    self.asks(&name, BUDGETS[project].cost, probe);
                }
                Next::Page { project, probe } => self.asks(&project, 1, probe),
                Next::Park(_, until) => {
                    prop_assert!(until > now);
                    self.given += 1;
                }
                Next::QuotaSpent { until, .. } => prop_assert!(until > now),
                Next::Wait(until) => {
                    prop_assert!(until > now, "it would spin");
                    let wake = self.queue.wake(now, |_, _| true);
                    prop_assert!(wake.is_some_and(|wake| wake > now && wake <= until), "{wake:?} after {until}");
                    break;
                }
                Next::Idle => {
                    prop_assert_eq!(self.queue.wake(now, |_, _| true), None);
                    break;
                }
            }
        }
        prop_assert_eq!(self.pushed, self.given + self.dropped + self.waiting(), "each key is given once");
        for (requests, budget) in self.requests.iter().zip(BUDGETS) {
            prop_assert!(*requests <= budget.per_second * self.now as f64 / 1000.0 + 1e-6);
            let days = self.now / 86_400_000 + 1;
            prop_assert!(*requests <= budget.per_day as f64 * days as f64);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn any_order_of_events_keeps_the_budget_and_every_key(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            world.drain()?;
        }
        // From here on nobody answers and nothing is committed: patience ends for all the same.
        let ends = world.now() + PATIENCE;
        let mut turns = 0;
        while let Some(wake) = world.queue.wake(world.now(), |_, _| true).filter(|wake| *wake <= ends) {
            world.now = wake.as_millis();
            world.drain()?;
            turns += 1;
            prop_assert!(turns < 20_000, "it spins");
        }
        if world.held.contains(&true) {
            prop_assert_eq!(world.waiting(), 0, "somebody waits for ever");
        }
    }
}
