//! Every guest of `tests/fixtures/hostile`: the error that its head names, nothing written, and the
//! next decision is right.

use std::fs;

use super::generous;
use crate::support::{NEW, OLD, hostile};

#[test]
fn each_hostile_guest_is_stopped_and_the_next_decision_is_right() {
    let sandbox = generous();
    let stale = sandbox.config_text();
    let policy = sandbox.path("hostile.wasm");
    let policy_path = policy.display().to_string();
    // The right policy is given the time that it has by default.
    let patient = sandbox.path("patient.toml");
    let manifest = fs::read_to_string(sandbox.path("home/precedent.toml")).unwrap();
    fs::write(&patient, manifest.replace("deadline-ms = 200", "")).unwrap();
    let patient = patient.display().to_string();
    let guests = hostile::all();
    assert!(guests.len() > 25, "only {} guests", guests.len());
    let mut wrong = Vec::new();
    for guest in &guests {
        fs::write(&policy, &guest.component).unwrap();
        let before = sandbox.home();
        let run = sandbox.run(&["apply", "--policy", &policy_path]);
        let said = format!("{}{}", run.stdout, run.stderr);
        if run.code != Some(guest.exit) || !said.contains(&guest.says) {
            wrong.push(format!("{}: {:?}, not `{}`: {said}", guest.name, run.code, guest.says));
        }
        let is_command = |c: char| c.is_control() && c != '\n';
        assert!(!said.contains(is_command), "{} commands the terminal: {said:?}", guest.name);
        assert_eq!(sandbox.home(), before, "{} wrote", guest.name);

        let right = sandbox.run(&["apply", "--manifest", &patient]);
        assert_eq!(right.code, Some(0), "after {}: {right:?}", guest.name);
        let repaired = sandbox.config_text();
        assert!(repaired.contains(NEW) && !repaired.contains(OLD), "after {}", guest.name);
        fs::write(sandbox.config(), &stale).unwrap();
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), guests.len(), wrong.join("\n"));
}

/// The pieces that each hostile guest is completed with are no cause of what is found above.
#[test]
fn what_hostile_guests_are_made_of_is_right() {
    let sandbox = generous();
    let policy = sandbox.path("right.wasm");
    fs::write(&policy, hostile::right()).unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["apply", "--policy", &policy.display().to_string()]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(sandbox.home(), before);
}
