//! The reconciler in virtual time, against an agent that is a map and a mood.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

mod outages;
mod truth;

use super::*;

/// How the agent answers whatever it is asked.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Away,
    Refusing(u16),
}

/// A reconciler, an agent and a clock; everything that happens is one line
/// `ms what`.
struct Sim {
    start: Instant,
    now: Instant,
    reconciler: Reconciler,
    mood: Mood,
    agent: BTreeMap<String, (Arc<ServiceSpec>, bool)>,
    lines: Vec<String>,
}

fn service(name: &str) -> Arc<ServiceSpec> {
    Arc::new(ServiceSpec {
        id: format!("{name}-host"),
        name: name.into(),
        address: Ipv4Addr::new(10, 0, 0, 1).into(),
        port: 80,
        tags: vec!["a".to_owned()],
        ttl: Duration::from_secs(10),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    })
}

fn on_port(spec: &ServiceSpec, port: u16) -> Arc<ServiceSpec> {
    Arc::new(ServiceSpec {
        port,
        ..spec.clone()
    })
}

impl Sim {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            now,
            reconciler: Reconciler::new(),
            mood: Mood::Well,
            agent: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    fn say(&mut self, what: &str) {
        let ms = (self.now - self.start).as_millis();
        self.lines.push(format!("{ms} {what}"));
    }

    fn wish(&mut self, wish: Wish) -> &mut Self {
        let effects = self.reconciler.wish(self.now, wish);
        self.tell(effects);
        self.settle()
    }

    fn beat(&mut self, spec: &Arc<ServiceSpec>) -> &mut Self {
        self.wish(Wish::Heartbeat(Arc::clone(spec)))
    }

    fn withdraw(&mut self, spec: &ServiceSpec) -> &mut Self {
        self.wish(Wish::Withdraw(spec.id.clone()))
    }

    fn mood(&mut self, mood: Mood) -> &mut Self {
        self.mood = mood;
        self
    }

    fn tell(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Log(level, line) => self.say(&format!("{level} {line}")),
                Effect::Withdrawn(id, confirmed) => {
                    self.say(&format!("withdrawn {id} {confirmed}"));
                }
            }
        }
    }

    /// Carries out whatever is due now.
    fn settle(&mut self) -> &mut Self {
        for _ in 0..1000 {
            let Next::Call(call) = self.reconciler.next(self.now) else {
                return self;
            };
            let outcome = self.perform(&call);
            self.say(&format!("{} {} {}", call.verb(), call.id(), word(&outcome)));
            let effects = self.reconciler.outcome(self.now, &call, outcome);
            self.tell(effects);
        }
        panic!("never settles:\n{}", self.lines.join("\n"));
    }

    /// Lets time pass, from deadline to deadline.
    fn pass(&mut self, time: Duration) -> &mut Self {
        let end = self.now + time;
        while let Next::Wait(at) = self.reconciler.next(self.now) {
            if at > end {
                break;
            }
            self.now = at;
            self.settle();
        }
        self.now = end;
        self.settle()
    }

    fn perform(&mut self, call: &Call) -> Outcome {
        match self.mood {
            Mood::Away => return Outcome::Unreachable,
            Mood::Refusing(status) => return Outcome::Refused(status, "no".to_owned()),
            Mood::Well => {}
        }
        let known = self.agent.get(call.id());
        match call {
            Call::Register(spec, status) => {
                let passes = *status == InitialStatus::Passing;
                self.agent
                    .insert(spec.id.clone(), (Arc::clone(spec), passes));
                Outcome::Done
            }
            Call::Deregister(id) => {
                self.agent.remove(id);
                Outcome::Done
            }
            Call::Verify(spec) => match known {
                None => Outcome::Unknown,
                Some((known, _)) if known == spec => Outcome::Done,
                Some(_) => Outcome::Differs,
            },
            Call::Heartbeat(spec) => match self.agent.get_mut(&spec.id) {
                None => Outcome::Unknown,
                Some((_, passes)) => {
                    *passes = true;
                    Outcome::Done
                }
            },
        }
    }

    /// All lines since the last look, without their times.
    fn story(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
            .iter()
            .map(|line| line.split_once(' ').unwrap().1.to_owned())
            .collect()
    }

    /// The times of the requests since the last look.
    fn tries(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.lines)
            .iter()
            .map(|line| line.split_once(' ').unwrap().0.parse().unwrap())
            .collect()
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Unknown => "unknown".to_owned(),
        Outcome::Differs => "differs".to_owned(),
        Outcome::Refused(status, _) => status.to_string(),
        Outcome::Unreachable => "unreachable".to_owned(),
    }
}

const SECOND: Duration = Duration::from_secs(1);
