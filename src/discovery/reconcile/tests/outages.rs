//! Consul away or unwilling: order, back-off, lateness, and every short history.

use super::*;

#[test]
fn withdrawals_go_before_everything_else_and_the_rest_by_age() {
    let (a, b, c) = (service("a"), service("b"), service("c"));
    let mut sim = Sim::new();
    sim.beat(&a);
    sim.story();
    let now = sim.now;
    for wish in [
        Wish::Heartbeat(c),
        Wish::Heartbeat(b),
        Wish::Withdraw(a.id.clone()),
    ] {
        sim.reconciler.wish(now, wish);
    }
    sim.settle();
    let requests: Vec<_> = sim
        .story()
        .into_iter()
        .filter(|line| line.ends_with("done"))
        .collect();
    assert_eq!(
        requests,
        [
            "deregister a-host done",
            "register c-host done",
            "register b-host done"
        ]
    );
}

#[test]
fn only_the_newest_wish_of_a_service_is_carried_out() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.mood(Mood::Away).beat(&app);
    for _ in 0..20 {
        sim.pass(SECOND / 10).withdraw(&app).beat(&app);
    }
    sim.story();
    sim.mood(Mood::Well).pass(CAP);
    assert_eq!(
        sim.story(),
        [
            "register app-host done",
            "INFO registered service \"app-host\" at 10.0.0.1:80"
        ]
    );
}

#[test]
fn a_back_off_is_cut_short_by_a_new_wish_but_tries_stay_half_a_second_apart() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.mood(Mood::Away).beat(&app).pass(40 * SECOND);
    sim.tries();
    sim.beat(&app);
    assert_eq!(sim.tries().len(), 1, "a wish is worth a try at once");
    for _ in 0..100 {
        sim.pass(SECOND / 100).beat(&app);
    }
    let tries = sim.tries();
    assert!(tries.len() <= 4, "{tries:?}");
}

#[test]
fn recovery_takes_no_longer_than_the_cap_even_if_nothing_is_wished() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app).mood(Mood::Away).withdraw(&app);
    sim.pass(600 * SECOND);
    sim.tries();
    sim.mood(Mood::Well).pass(CAP);
    assert!(sim.agent.is_empty());
}

#[test]
fn the_row_of_tries_doubles_up_to_the_cap() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app).mood(Mood::Away);
    sim.story();
    sim.withdraw(&app).pass(120 * SECOND);
    let tries = sim.tries();
    // 0.25 0.5 1 2 4 8 15 15 …: at least 6 + 104/15, at most a third more.
    assert!((12..=18).contains(&tries.len()), "{tries:?}");
}

#[test]
fn while_consul_is_away_many_services_cost_one_try_at_a_time() {
    let services: Vec<_> = (0..50).map(|n| service(&format!("s{n}"))).collect();
    let mut sim = Sim::new();
    sim.mood(Mood::Away);
    for _ in 0..10 {
        for spec in &services {
            sim.beat(spec);
        }
        sim.pass(SECOND);
    }
    let tries = sim.tries();
    assert!(tries.len() <= 21, "{}", tries.len());
    sim.mood(Mood::Well);
    for spec in &services {
        sim.beat(spec);
    }
    sim.pass(SPACING);
    assert_eq!(sim.agent.len(), 50, "one wish brings them all back");
}

#[test]
fn a_heartbeat_that_came_too_late_is_dropped() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.mood(Mood::Away).beat(&app).pass(11 * SECOND);
    sim.story();
    sim.mood(Mood::Well).pass(60 * SECOND);
    assert!(sim.agent.is_empty(), "nobody has found it healthy for 60 s");
    assert_eq!(sim.story(), [""; 0]);
}

#[test]
fn a_failed_check_takes_back_a_heartbeat_that_is_still_on_its_way() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.mood(Mood::Away).beat(&app);
    sim.wish(Wish::Unhealthy(app.id.clone()));
    sim.mood(Mood::Well).pass(60 * SECOND);
    assert!(sim.agent.is_empty());
}

#[test]
fn a_failed_check_leaves_the_initial_registration_wanted() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.mood(Mood::Away)
        .wish(Wish::Register(Arc::clone(&app), InitialStatus::Critical));
    sim.wish(Wish::Unhealthy(app.id.clone()));
    sim.mood(Mood::Well).pass(60 * SECOND);
    assert!(!sim.agent["app-host"].1);
}

#[test]
fn a_refusal_is_logged_once_and_its_end_too() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.mood(Mood::Refusing(403));
    for _ in 0..10 {
        sim.beat(&app).pass(SECOND);
    }
    sim.mood(Mood::Well).beat(&app).pass(SECOND).beat(&app);
    let logged: Vec<_> = sim
        .story()
        .into_iter()
        .filter(|line| line.starts_with(char::is_uppercase))
        .collect();
    assert_eq!(
        logged,
        [
            "WARN consul refuses to register service \"app-host\": 403 no; does consul.token allow it?",
            "INFO registered service \"app-host\" at 10.0.0.1:80",
        ]
    );
}

#[test]
fn a_refused_heartbeat_that_is_accepted_again_is_said_once() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app);
    sim.story();
    sim.mood(Mood::Refusing(500));
    for _ in 0..3 {
        sim.beat(&app).pass(SECOND);
    }
    sim.mood(Mood::Well).beat(&app).pass(SECOND).beat(&app);
    let logged: Vec<_> = sim
        .story()
        .into_iter()
        .filter(|line| line.starts_with(char::is_uppercase))
        .collect();
    assert_eq!(
        logged,
        [
            "WARN consul refuses to update service \"app-host\": 500 no",
            "INFO consul accepts service \"app-host\" again",
        ]
    );
}

#[test]
fn one_refused_service_does_not_hold_up_the_others() {
    let (bad, good) = (service("bad"), service("good"));
    let mut sim = Sim::new();
    sim.mood(Mood::Refusing(400)).beat(&bad);
    sim.mood(Mood::Well);
    sim.story();
    sim.beat(&good);
    assert_eq!(
        sim.story(),
        [
            "register good-host done",
            "INFO registered service \"good-host\" at 10.0.0.1:80"
        ]
    );
}

#[test]
fn a_refused_withdrawal_is_given_up_and_tried_again() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app).mood(Mood::Refusing(403));
    sim.story();
    sim.withdraw(&app);
    assert_eq!(
        sim.story(),
        [
            "deregister app-host 403",
            "WARN consul refuses to deregister service \"app-host\": 403 no; does consul.token allow it?",
            "withdrawn app-host false",
        ]
    );
    sim.mood(Mood::Well).pass(CAP);
    assert!(sim.agent.is_empty());
}

#[test]
fn every_short_history_ends_with_the_agent_as_wanted() {
    let (app, moved) = (service("app"), on_port(&service("app"), 81));
    let moves: [&dyn Fn(&mut Sim); 9] = [
        &|sim| {
            sim.beat(&app);
        },
        &|sim| {
            sim.beat(&moved);
        },
        &|sim| {
            sim.wish(Wish::Register(Arc::clone(&app), InitialStatus::Critical));
        },
        &|sim| {
            sim.withdraw(&app);
        },
        &|sim| sim.mood = Mood::Away,
        &|sim| sim.mood = Mood::Refusing(500),
        &|sim| sim.mood = Mood::Well,
        &|sim| sim.agent.clear(),
        &|sim| {
            sim.pass(SECOND);
        },
    ];
    let mut histories = 0;
    for history in 0..moves.len().pow(5) {
        for last in [true, false] {
            let mut sim = Sim::new();
            let mut rest = history;
            for _ in 0..5 {
                moves[rest % moves.len()](&mut sim);
                rest /= moves.len();
            }
            if last {
                sim.beat(&app).mood(Mood::Well).pass(CAP / 2).beat(&app);
                let (spec, passes) = sim.agent.get("app-host").unwrap_or_else(|| {
                    panic!("history {history}:\n{}", sim.lines.join("\n"));
                });
                assert_eq!((spec, *passes), (&app, true), "history {history}");
            } else {
                sim.withdraw(&app).mood(Mood::Well).pass(CAP);
                assert!(sim.agent.is_empty(), "history {history}");
                assert!(sim.reconciler.is_empty(), "history {history}");
            }
            assert_eq!(sim.reconciler.next(sim.now), Next::Idle, "{history}");
            histories += 1;
        }
    }
    assert_eq!(histories, 2 * 59_049);
}
