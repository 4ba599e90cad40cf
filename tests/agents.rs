//! Agents in one process on a store in memory, beat by beat: what is decided, sent, refused and followed.

#[allow(dead_code, reason = "agents in processes of their own want more of it")]
mod node;
mod rotation;

use std::time::Duration;

use precedent::fleet::{
    Agent, Board, NodeState, Roster, Space, Store,
    store::{MemoryStore, Transaction},
};
use precedent::model::Phase;

use node::{FLEET, Nodes};

const NO_TIME: Duration = Duration::ZERO;

/// Beats them in turn until nothing moves any more, or so often.
fn settle(agents: &mut [Agent<'_>]) {
    for _ in 0..8 {
        for agent in agents.iter_mut() {
            agent.beat(NO_TIME);
        }
    }
}

#[test]
fn a_login_that_ended_is_mended_by_the_copy_of_another_node() {
    let nodes = Nodes::new(&["a", "b", "c"], "nodes", FLEET);
    nodes.log_in("a", "canary-access-a", -1);
    nodes.log_in("b", "canary-access-b", 24);
    nodes.log_in("c", "canary-access-c", 12);
    let store = MemoryStore::default();
    let tellers: Vec<_> = nodes.names.iter().map(|name| nodes.teller(name)).collect();
    let mut agents: Vec<Agent<'_>> = nodes
        .names
        .iter()
        .zip(&tellers)
        .map(|(name, tell)| nodes.agent(name, &store, tell))
        .collect();
    settle(&mut agents);
    assert_eq!(nodes.access("a"), "canary-access-b", "{:#?}", nodes.told.lock().unwrap());
    assert_eq!(nodes.access("c"), "canary-access-c");
    assert_eq!(nodes.heard("leads").len(), 1);
    for agent in &agents {
        assert_eq!(agent.standing(), &NodeState::InOrder, "{:#?}", nodes.told.lock().unwrap());
    }
    for entry in store.read_everything() {
        let text = String::from_utf8_lossy(&entry.value);
        assert!(!text.contains("canary-"), "{}: {text}", entry.key);
        assert!(!entry.key.contains("/sealed/") || text.contains("AGE ENCRYPTED"), "{}", entry.key);
    }
}

/// Nodes `a`, whose login ended, and `b`, whose is valid, with what is added to their manifests.
fn two(more: &str) -> Nodes {
    let nodes = Nodes::new(&["a", "b"], "nodes", more);
    nodes.log_in("a", "canary-access-a", -1);
    nodes.log_in("b", "canary-access-b", 24);
    nodes
}

/// Runs agents of all nodes on a store until nothing moves, and gives back how each stands.
fn settled(nodes: &Nodes, store: &MemoryStore) -> Vec<NodeState> {
    let tellers: Vec<_> = nodes.names.iter().map(|name| nodes.teller(name)).collect();
    let named = nodes.names.iter().zip(&tellers);
    let mut agents: Vec<Agent<'_>> =
        named.map(|(name, tell)| nodes.agent(name, store, tell)).collect();
    settle(&mut agents);
    agents.iter().map(|agent| agent.standing().clone()).collect()
}

#[test]
fn a_node_keeps_its_own_grants() {
    let nodes = two(&FLEET.replace("write = [\"auth-profiles\"]", "write = []"));
    let states = settled(&nodes, &MemoryStore::default());
    let NodeState::Violated(why) = &states[0] else { panic!("{states:?}") };
    assert!(why.contains("no grant"), "{why}");
    assert_eq!(nodes.access("a"), "canary-access-a");
}

#[test]
fn a_node_sends_what_its_own_manifest_lets_go_and_nothing_else() {
    let nodes = two(&FLEET.replace("send = [\"auth-profiles\"]", ""));
    let store = MemoryStore::default();
    let states = settled(&nodes, &store);
    assert_eq!(states[0], NodeState::Waiting("for secrets of b".to_owned()));
    let told = nodes.heard("not-sent");
    assert!(
        told[0].contains("does not let auth-profiles@main/openai-codex:default go"),
        "{told:?}"
    );
    assert!(store.read_everything().iter().all(|entry| !entry.key.contains("/sealed/")));
    assert_eq!(nodes.access("a"), "canary-access-a");
}

#[test]
fn what_came_is_removed_from_the_store_and_used_once() {
    // What nobody asked for is removed when it is time to look: not before the node knows what it needs.
    let nodes = two(&FLEET.replace("interval-seconds = 1", "interval-seconds = 5"));
    let store = MemoryStore::default();
    settled(&nodes, &store);
    assert_eq!(nodes.access("a"), "canary-access-b");
    let everything = store.read_everything();
    let sealed = everything.iter().find(|entry| entry.key.contains("/sealed/a/")).unwrap();
    let left = store.list("/precedent/test/sealed/").unwrap().entries;
    assert!(left.is_empty(), "{left:?}");
    // Brought back by who can write to the store, it is not taken again.
    nodes.log_in("a", "canary-access-a", -1);
    let put = Transaction::default().put(&sealed.key, sealed.value.clone());
    store.commit(put).unwrap();
    nodes.told.lock().unwrap().clear();
    {
        // `b` is there, and does nothing.
        let (tell_a, tell_b) = (nodes.teller("a"), nodes.teller("b"));
        let mut b = nodes.agent("b", &store, &tell_b);
        b.beat(NO_TIME);
        let mut a = nodes.agent("a", &store, &tell_a);
        (0..4).for_each(|_| a.beat(NO_TIME));
    }
    let told = nodes.heard("not-sent");
    assert!(told.iter().any(|line| line.contains("it was used here before")), "{told:?}");
    assert_eq!(nodes.access("a"), "canary-access-a");
    settled(&nodes, &store);
    assert_eq!(nodes.access("a"), "canary-access-b", "and a new one came");
}

/// The copy that lasts longest is on a node that is gone: what is needed of it would never come.
#[test]
fn a_node_that_is_gone_is_asked_for_nothing() {
    let nodes = Nodes::new(&["a", "b", "gone"], "nodes", FLEET);
    nodes.log_in("a", "canary-access-a", 24);
    nodes.log_in("b", "canary-access-b", 12);
    nodes.log_in("gone", "canary-access-gone", 48);
    let store = MemoryStore::default();
    settled(&nodes, &store);
    nodes.log_in("a", "canary-access-a", -1);
    let tellers: Vec<_> = ["a", "b"].iter().map(|name| nodes.teller(name)).collect();
    let mut agents =
        vec![nodes.agent("a", &store, &tellers[0]), nodes.agent("b", &store, &tellers[1])];
    settle(&mut agents);
    assert_eq!(nodes.access("a"), "canary-access-b", "{:#?}", nodes.told.lock().unwrap());
}

/// Whoever can write to the store brings back what was assigned before, or writes in the name of another.
#[test]
fn what_is_over_or_not_signed_is_never_followed() {
    // Else `a` would lead, and hand out anew what it finds to be another.
    let nodes = two(&format!("{FLEET}leaders = [\"b\"]\n"));
    let store = MemoryStore::default();
    settled(&nodes, &store);
    let key = "/precedent/test/assignments/a/";
    let old = store.get(key).unwrap().unwrap().value;
    nodes.log_in("a", "canary-access-of-its-own", 48);
    nodes.log_in("b", "canary-access-b2", 30);
    settled(&nodes, &store);
    let new = store.get(key).unwrap().unwrap().value;
    assert!(old != new, "another generation");
    let follows = |nodes: &Nodes| nodes.agent("a", &store, &|_| {}).generation();
    let before = follows(&nodes);
    let of_b = store.get("/precedent/test/assignments/b/").unwrap().unwrap().value;
    let forged = String::from_utf8(new).unwrap().replace("\"generation\":", "\"generation\":9");
    for (value, says) in [
        (old, "an older one is never applied over a newer one"),
        (of_b, "it is for b"),
        (forged.into_bytes(), "its signature is not"),
        (b"{}".to_vec(), "it is no precedent.fleet-assignment/1"),
        (Vec::new(), "it is no precedent.fleet-assignment/1"),
    ] {
        store.commit(Transaction::default().put(key, value)).unwrap();
        nodes.told.lock().unwrap().clear();
        let tell = nodes.teller("a");
        nodes.agent("a", &store, &tell).beat(NO_TIME);
        let told = nodes.heard("not-followed");
        assert!(told.iter().any(|line| line.contains(says)), "{says}: {told:?}");
        assert_eq!(follows(&nodes), before, "{says}");
        assert_eq!(nodes.access("a"), "canary-access-of-its-own", "{says}");
    }
}

/// The number in the store is signed by nobody, and a report says what its node likes: neither may be the last.
#[test]
fn a_number_that_nobody_can_have_come_to_is_passed_over() {
    let nodes = two(FLEET);
    let store = MemoryStore::default();
    settled(&nodes, &store);
    let key = "/precedent/test/generation";
    let last = u64::MAX.to_string();
    store.commit(Transaction::default().put(key, last.clone())).unwrap();
    nodes.log_in("b", "canary-access-b2", 30);
    settled(&nodes, &store);
    let follows = nodes.agent("a", &store, &|_| {}).generation();
    assert!((1..1000).contains(&follows), "{follows}");
    assert!(store.get(key).unwrap().unwrap().value != last.into_bytes());
}

/// A leader was stolen from, and is taken out of the manifests: agents start, follow it no more, and still
/// nothing older.
#[test]
fn who_may_lead_no_more_is_followed_no_more() {
    let nodes = two(&format!("{FLEET}leaders = [\"b\"]\n"));
    let store = MemoryStore::default();
    settled(&nodes, &store);
    let before = nodes.agent("a", &store, &|_| {}).generation();
    let text = nodes.read("a", "precedent.toml").replace("leaders = [\"b\"]", "leaders = [\"a\"]");
    nodes.write("a", "precedent.toml", &text);
    let tell = nodes.teller("a");
    let mut agent = nodes.agent("a", &store, &tell);
    assert_eq!(agent.generation(), before);
    nodes.log_in("a", "canary-access-a", -1);
    nodes.told.lock().unwrap().clear();
    (0..4).for_each(|_| agent.beat(NO_TIME));
    assert!(agent.generation() > before, "it leads by now: {:?}", nodes.told.lock().unwrap());
}

/// Two agents of one node would speak in one name, and each end what the other has.
#[test]
fn one_agent_runs_on_a_node() {
    let nodes = two(FLEET);
    let store = MemoryStore::default();
    let tell = |_: &precedent::fleet::Happening<'_>| {};
    let _first = nodes.agent("a", &store, &tell);
    let second = Agent::new(nodes.host("a"), &store, Phase::Repair, &tell);
    let error = second.map(drop).unwrap_err().to_string();
    assert!(error.contains("another agent of this node runs"), "{error}");
}

/// A node speaks for itself: what it says of others' copies is passed over, and so is what it says in
/// another's name.
#[test]
fn a_node_that_lies_about_another_is_not_believed() {
    let nodes = Nodes::new(&["a", "b", "liar"], "nodes", FLEET);
    nodes.log_in("a", "canary-access-a", -1);
    nodes.log_in("b", "canary-access-b", -1);
    // It says that it sees a valid copy on `b`, which is on a file of its own.
    nodes.log_in("liar", "canary-access-liar", -1);
    let text = nodes.read("liar", "precedent.toml");
    let seen =
        "[[profiles]]\nname = \"b\"\nnode = \"b\"\nagents = [\"main\"]\npath = \"lies.json\"\n";
    // Else it would mend its own by what it takes for `b`'s, and have a valid one indeed.
    let text = text.replace("write = [\"auth-profiles\"]", "write = []");
    nodes.write("liar", "precedent.toml", &format!("{text}\n{seen}"));
    nodes.log_in("liar", "canary-access-lie", 24);
    let lie = nodes.read("liar", ".openclaw/agents/main/agent/auth-profiles.json");
    nodes.write("liar", "lies.json", &lie);
    nodes.log_in("liar", "canary-access-liar", -1);
    let store = MemoryStore::default();
    let states = settled(&nodes, &store);
    assert!(nodes.heard("sent").is_empty(), "{states:?}");
    assert_eq!(
        (nodes.access("a"), nodes.access("b")),
        ("canary-access-a".into(), "canary-access-b".into())
    );
    // Its report in the place of another's.
    let report = store.get("/precedent/test/reports/liar").unwrap().unwrap().value;
    store.commit(Transaction::default().put("/precedent/test/reports/b", report)).unwrap();
    let host = nodes.host("a");
    let identity = nodes.state("a").identity().unwrap().unwrap();
    let roster = Roster::of(host.deployment(), &identity).unwrap();
    let board = Board::read(&store, &Space::new("test"), &roster).unwrap();
    assert!(board.unbelieved["b"].contains("it is liar's"), "{board:?}");
    assert!(!board.reports.contains_key("b"));
}

#[test]
fn who_is_no_leader_is_not_followed() {
    let nodes = two(&format!("{FLEET}leaders = [\"b\"]\n"));
    let store = MemoryStore::default();
    settled(&nodes, &store);
    assert_eq!(nodes.heard("leads"), ["b: elected: this node decides for the fleet"]);
    // `b` says that `a` may lead, and `a` does not.
    let text = nodes.read("b", "precedent.toml").replace("leaders = [\"b\"]", "leaders = [\"a\"]");
    nodes.write("a", "precedent.toml", &text);
    nodes.log_in("b", "canary-access-b2", -1);
    nodes.told.lock().unwrap().clear();
    let states = settled(&nodes, &store);
    let told = nodes.heard("not-followed");
    let says = "b: an assignment is not followed: a decided it, which is none of the leaders";
    assert!(told.iter().any(|line| line.starts_with(says)), "{told:?} {states:?}");
}

/// The store goes while all is well: nothing changes. A login that ends meanwhile is told, and what is mended
/// here alone is.
#[test]
fn a_node_works_on_without_the_store() {
    let nodes = Nodes::new(
        &["a", "b"],
        "nodes",
        &FLEET.replace("write = [\"auth-profiles\"]", "write = [\"auth-profiles\"]\nset-facts = [\"agents.max-concurrent\"]\n[settings]\nraise = true"),
    );
    nodes.log_in("a", "canary-access-a", 24);
    nodes.log_in("b", "canary-access-b", 24);
    let store = MemoryStore::default();
    settled(&nodes, &store);
    store.set_reachable(false);
    let tell = nodes.teller("a");
    let mut agent = nodes.agent("a", &store, &tell);
    let before = agent.generation();
    assert!(before > 0);
    agent.beat(NO_TIME);
    assert_eq!(nodes.heard("cut-off").len(), 1);
    for number in 0..9 {
        let path = format!(".openclaw/agents/work-{number}/agent/auth-profiles.json");
        nodes.write("a", &path, &nodes.read("a", ".openclaw/agents/main/agent/auth-profiles.json"));
    }
    std::thread::sleep(Duration::from_secs(5));
    agent.beat(NO_TIME);
    assert_eq!(
        nodes.heard("alone"),
        [format!("a: cut off for long: deciding alone, by generation {before}")]
    );
    let changed = nodes.heard("changed");
    assert_eq!(changed, ["a: changed: agents.max-concurrent"], "{:?}", nodes.told.lock().unwrap());
    let folder = precedent::fleet::FleetFolder::of(&nodes.state("a"), "test");
    let standing = folder.standing().unwrap().unwrap();
    assert!(standing.cut_off.is_some() && standing.generation == before, "{standing:?}");
    store.set_reachable(true);
    agent.beat(NO_TIME);
    assert_eq!(nodes.heard("connected").len(), 3, "{:?}", nodes.told.lock().unwrap());
    assert!(folder.standing().unwrap().unwrap().cut_off.is_none());
}

/// One that leads is not heard of for longer than its lease, another one decides, and goes: what the first handed
/// out before is over, though it would say the same again.
#[test]
fn who_is_elected_again_reads_what_was_decided_in_between() {
    let nodes =
        Nodes::new(&["a", "b", "c"], "nodes", &format!("{FLEET}leaders = [\"a\", \"b\"]\n"));
    for name in &nodes.names {
        nodes.log_in(name, "canary-access", 24);
    }
    let own = "cut-off-seconds = 5\nsettings = { margin-minutes = 30 }";
    let text = nodes.read("b", "precedent.toml").replace("cut-off-seconds = 5", own);
    nodes.write("b", "precedent.toml", &text);
    let store = MemoryStore::default();
    let tellers: Vec<_> = nodes.names.iter().map(|name| nodes.teller(name)).collect();
    let [mut a, mut b, mut c] =
        [0, 1, 2].map(|at| nodes.agent(&nodes.names[at], &store, &tellers[at]));
    let decided_by = || {
        let entry = store.get("/precedent/test/assignments/c/").unwrap().unwrap();
        let text = String::from_utf8(entry.value).unwrap();
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        first["leader"].as_str().unwrap().to_owned()
    };
    for _ in 0..8 {
        for agent in [&mut a, &mut b, &mut c] {
            agent.beat(NO_TIME);
        }
    }
    assert_eq!(decided_by(), "a");
    for _ in 0..40 {
        std::thread::sleep(Duration::from_millis(300));
        for agent in [&mut b, &mut c] {
            agent.beat(NO_TIME);
        }
    }
    assert_eq!(decided_by(), "b");
    drop(b);
    for _ in 0..8 {
        for agent in [&mut a, &mut c] {
            agent.beat(NO_TIME);
        }
    }
    assert_eq!(decided_by(), "a", "{:#?}", nodes.told.lock().unwrap());
    assert_eq!(c.standing(), &NodeState::InOrder);
}
