//! What is registered, verified, corrected and withdrawn.

use super::*;

#[test]
fn the_first_passing_check_registers_and_later_ones_are_heartbeats() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app).pass(SECOND).beat(&app);
    assert_eq!(
        sim.story(),
        [
            "register app-host done",
            "INFO registered service \"app-host\" at 10.0.0.1:80",
            "look up app-host done",
            "update app-host done",
        ]
    );
    assert!(sim.agent["app-host"].1);
}

#[test]
fn an_initial_status_registers_before_any_check() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.wish(Wish::Register(Arc::clone(&app), InitialStatus::Warning));
    assert!(!sim.agent["app-host"].1);
    sim.story();
    sim.beat(&app);
    assert_eq!(
        sim.story(),
        ["look up app-host done", "update app-host done"]
    );
    assert!(sim.agent["app-host"].1);
}

#[test]
fn what_the_agent_has_lost_is_registered_again_at_the_next_passing_check() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app).agent.clear();
    sim.story();
    sim.beat(&app);
    assert_eq!(
        sim.story(),
        [
            "look up app-host unknown",
            "WARN consul no longer knows service \"app-host\": registering it again",
            "register app-host done",
            "INFO registered service \"app-host\" at 10.0.0.1:80",
        ]
    );
}

#[test]
fn what_another_registered_under_our_id_is_corrected_and_a_fight_is_logged_once() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app);
    sim.story();
    for _ in 0..5 {
        let other = on_port(&app, 81);
        sim.agent.insert(app.id.clone(), (other, true));
        sim.beat(&app).pass(SECOND);
    }
    let logged: Vec<_> = sim
        .story()
        .into_iter()
        .filter(|line| line.starts_with("WARN") || line.starts_with("INFO"))
        .collect();
    assert_eq!(
        logged,
        [
            "WARN service \"app-host\" was registered with other fields: correcting it",
            "INFO registered service \"app-host\" at 10.0.0.1:80",
        ]
    );
    assert_eq!(sim.agent["app-host"].0.port, 80);
}

#[test]
fn new_fields_of_ours_replace_the_old_ones_without_a_complaint() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app);
    sim.story();
    sim.beat(&on_port(&app, 81));
    assert_eq!(
        sim.story(),
        [
            "register app-host done",
            "INFO registered service \"app-host\" at 10.0.0.1:81"
        ]
    );
}

#[test]
fn withdrawing_is_confirmed_and_forgotten() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app);
    sim.story();
    sim.withdraw(&app);
    assert_eq!(
        sim.story(),
        [
            "deregister app-host done",
            "INFO deregistered service \"app-host\"",
            "withdrawn app-host true",
        ]
    );
    assert!(sim.reconciler.is_empty());
    assert!(sim.agent.is_empty());
}

#[test]
fn what_an_earlier_life_left_behind_is_removed_without_claiming_it() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.agent.insert(app.id.clone(), (on_port(&app, 99), false));
    sim.withdraw(&app);
    assert_eq!(
        sim.story(),
        ["deregister app-host done", "withdrawn app-host true"]
    );
    assert!(sim.agent.is_empty());
}

#[test]
fn withdrawing_from_an_agent_that_is_away_is_given_up_at_once_and_done_later() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app).mood(Mood::Away).withdraw(&app);
    sim.story();
    sim.withdraw(&app);
    assert_eq!(
        sim.story(),
        [
            "withdrawn app-host false",
            "deregister app-host unreachable"
        ]
    );
    sim.mood(Mood::Well).pass(CAP);
    assert_eq!(
        sim.story(),
        [
            "deregister app-host done",
            "INFO deregistered service \"app-host\""
        ]
    );
    assert!(sim.agent.is_empty());
}

#[test]
fn withdrawing_hears_of_the_first_failure() {
    let app = service("app");
    let mut sim = Sim::new();
    sim.beat(&app).mood(Mood::Away);
    sim.story();
    sim.withdraw(&app);
    assert_eq!(
        sim.story(),
        [
            "deregister app-host unreachable",
            "withdrawn app-host false"
        ]
    );
}
