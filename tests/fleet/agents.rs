//! Five agents, each a process of its own with a certificate of its own, on three members of etcd.
//!
//! | module | what |
//! |---|---|
//! | `machine` | the nodes as processes, what stands in their store, and what all must end with |
//! | `faults` | rounds of faults by chance: no update lost, nothing older over newer |
//! | `watched` | what nodes follow and hold, looked at all the time |
//! | `renewal` | a login that is renewed once |
//! | `rotation` | a secret that is rotated while programs call one another |
//! | `wrong` | everything that is not as it should be |

#[path = "agents/faults.rs"]
mod faults;
#[path = "agents/machine.rs"]
mod machine;
#[path = "agents/renewal.rs"]
mod renewal;
#[path = "agents/rotation.rs"]
mod rotation;
#[path = "agents/watched.rs"]
mod watched;
#[path = "agents/wrong.rs"]
mod wrong;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::cluster::alone;
use machine::{Machines, NAMES};

/// What the nodes of a fleet that mend one another's logins have in their manifests.
const LOGINS: &str = "send = [\"auth-profiles\"]\n[grants]\nwrite = [\"auth-profiles\"]\n";
const HOUR: i64 = 60 * 60 * 1000;

/// In milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// The hour of the story: all logins of a node have ended, and so has what renews them; another node has valid
/// ones.
#[test]
fn fifteen_agents_of_a_node_get_the_logins_of_another() {
    let _alone = alone();
    let machines = Machines::new("nodes", LOGINS);
    let nodes = &machines.nodes;
    let agents: Vec<String> = (0..15)
        .map(|number| if number == 0 { "main".to_owned() } else { format!("work-{number:02}") })
        .collect();
    for agent in &agents {
        nodes.log_in_until("a", agent, &format!("canary-ended-{agent}"), now() - 48 * HOUR);
        nodes.log_in_until("b", agent, &format!("canary-valid-{agent}"), now() + 24 * HOUR);
    }
    for name in ["c", "d", "e"] {
        nodes.log_in(name, "canary-third", 12);
    }
    // Without its grant: it says what it has, and nobody does anything about it.
    machines.edit("a", "[grants]\nwrite = [\"auth-profiles\"]", "[grants]\nwrite = []");
    machines.start_all();
    machines.wait("a is refused", |sight| {
        sight.reports.get("a").is_some_and(|(_, report)| report["state"]["violated"].is_string())
    });
    let plan = machines.run("e", &["fleet", "plan"]);
    plan.ends(
        4,
        &[
            "a: ~ write fleet@b/auth-profiles@main/openai-codex:default -> auth-profiles@main/openai-codex:default",
            "~ write fleet@b/auth-profiles@work-14/openai-codex:default -> auth-profiles@work-14/openai-codex:default",
            "b: nothing to do → sends auth-profiles@",
            "sealed, to a",
            "c: nothing to do",
        ],
    );
    let status = machines.run("e", &["fleet", "status"]);
    status.ends(1, &["decides", "not allowed here", "grant", "in order"]);
    assert_eq!(nodes.login("a", "work-14").0, "canary-ended-work-14", "without a grant");

    machines.kill("a");
    machines.edit("a", "[grants]\nwrite = []", "[grants]\nwrite = [\"auth-profiles\"]");
    machines.start("a", &[]);
    let is_mended =
        || agents.iter().all(|agent| nodes.login("a", agent).0 == format!("canary-valid-{agent}"));
    let took = machines.settle("all logins of a are mended", is_mended);
    let status = machines.run("c", &["fleet", "status"]);
    status.ends(0, &["decides", "runs", "in order"]);
    machines.run("c", &["fleet", "plan"]).ends(0, &["a: nothing to do"]);
    let document = machines.run("a", &["fleet", "status", "--format", "json"]).json();
    assert_eq!(document["nodes"].as_array().unwrap().len(), NAMES.len(), "{document}");
    assert!(document["nodes"][0]["follows"].as_u64() >= Some(1), "{document}");
    for agent in &agents {
        let path = format!(".openclaw/agents/{agent}/agent/auth-profiles.json");
        assert!(nodes.read("a", &path).contains("canary-refresh-a"), "what renews it stays");
    }
    let searched = machines.is_clean();
    println!("15 logins of 5 nodes mended and settled in {took:?}; {searched}");
}
