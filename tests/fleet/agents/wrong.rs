//! Everything that is not as it should be: what an operator is told of it, and the way out.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use super::{
    LOGINS,
    machine::{Machines, NAMES},
};
use crate::cluster::{Authority, MEMBERS, alone};

#[test]
fn what_is_wrong_is_told_with_the_way_out() {
    let _alone = alone();
    let machines = Machines::new("nodes", LOGINS);
    let nodes = &machines.nodes;
    NAMES.iter().for_each(|name| nodes.log_in(name, "canary-access", 12));
    let status = |name: &str| machines.run(name, &["fleet", "status"]);

    // Before anything runs.
    status("a").ends(
        4,
        &[
            "nobody is elected: no agent that may lead runs",
            "gone",
            "never",
            "it published nothing",
        ],
    );
    machines.run("a", &["fleet", "plan"]).ends(4, &["a: it published nothing that is believed"]);

    the_nodes_own(&machines);
    the_way_to_the_store(&machines);

    // One node has another key, another one another policy, and the clock of a third is off.
    machines.edit("b", "fleet.key\"", "b/other.key\"");
    let other = nodes.path("b", "other.key").display().to_string();
    machines.run("b", &["fleet", "key", &other]).ends(0, &["Copy it to every node"]);
    machines.run("b", &["fleet", "key", &other]).ends(2, &["something is there already"]);
    machines.manifest("c", "binary", "");
    machines.start_all();
    machines.wait("those that can are in order", |sight| {
        ["a", "d", "e"].iter().all(|name| {
            sight.reports.get(*name).is_some_and(|(_, report)| report["state"] == "in-order")
        }) && sight.alive.len() == NAMES.len()
    });
    machines.wait("all have published", |sight| sight.reports.len() == NAMES.len());
    status("a").ends(
        4,
        &[
            "it has another key for fingerprints",
            "copy the fleet's there",
            "it has another policy: ",
        ],
    );
    machines.run("a", &["fleet", "plan"]).ends(
        4,
        &[
            "b: it has another key for fingerprints",
            "c: it has another policy: ",
            "a: nothing to do",
        ],
    );
    for name in ["b", "c"] {
        machines.kill(name);
    }
    machines.edit("b", "b/other.key\"", "fleet.key\"");
    machines.manifest("c", "nodes", LOGINS);
    for name in ["b", "c"] {
        machines.start(name, &[]);
    }
    machines.settle("once that is mended", || true);
    status("e").ends(0, &["decides"]);

    // Someone who may write to the store writes in the place of others.
    machines.put_as("b", "sealed/a/nobody-asked", b"AGE ENCRYPTED, it says".to_vec());
    let report = machines.value("reports/c").unwrap();
    machines.kill("d");
    machines.put_as("d", "reports/d", report);
    status("a").ends(4, &["not believed: d: it is c's, and was put in the place of another"]);
    machines.start("d", &[]);
    machines.cluster.administer(&["del", "/precedent/test/sealed/a/nobody-asked"]);
    machines.settle("once it speaks for itself", || true);

    // No store at all: what the node itself knows.
    (0..MEMBERS).for_each(|member| machines.cluster.kill(member));
    let began = std::time::Instant::now();
    while !NAMES.iter().all(|name| machines.said(name).contains("going on by what was assigned")) {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", machines.said("a"));
        std::thread::sleep(Duration::from_millis(200));
    }
    status("a").ends(
        3,
        &[
            "a, by itself: follows generation",
            "cut off since 20",
            "in order",
            "the store cannot be reached",
        ],
    );
    let json = machines.run("b", &["fleet", "status", "--format", "json"]);
    assert_eq!(json.code, Some(3), "{json:?}");
    assert!(json.json()["standing"]["cut_off"].is_array(), "{json:?}");
    machines.run("a", &["fleet", "plan"]).ends(3, &["the store cannot be reached"]);
    machines.run("a", &["fleet", "rotate"]).ends(3, &["the store cannot be reached"]);
    let renew = ["fleet", "renew", "--credential", "gateway-token", "--", "true"];
    machines.run("a", &renew).ends(3, &["the store cannot be reached"]);
    (0..MEMBERS).for_each(|member| machines.cluster.run(member));
    machines.cluster.wait_until_well();
    machines.settle("once the store is back", || true);
    println!("{}", machines.is_clean());
}

/// What is wrong on the node itself; its agent does not start either.
fn the_nodes_own(machines: &Machines) {
    let nodes = &machines.nodes;
    let told = |code: i32, says: &[&str]| {
        for words in [&["fleet", "status"][..], &["agent"], &["fleet", "plan"]] {
            machines.run("a", words).ends(code, says);
        }
    };
    let manifest = nodes.read("a", "precedent.toml");
    let with = |text: &str| nodes.write("a", "precedent.toml", text);

    let identity = nodes.path("a", "state");
    let away = nodes.path("a", "away");
    fs::rename(&identity, &away).unwrap();
    told(2, &["this node has no identity yet; run `precedent identity`"]);
    fs::remove_dir_all(&identity).ok();
    fs::rename(&away, &identity).unwrap();

    let signer = manifest.lines().find(|line| line.starts_with("signer = ")).unwrap();
    let another = nodes.state("nobody").make_identity().unwrap().signer();
    with(&manifest.replacen(signer, &format!("signer = \"{another}\""), 1));
    told(2, &["this node is none of the fleet's", &format!("add to its [[peers]]: {signer}")]);
    let (_, without) = manifest.split_once("[grants]").unwrap();
    with(&format!("deployment.preset = \"openclaw\"\npolicy.name = \"nodes\"\n[grants]{without}"));
    told(2, &["the manifest has no [fleet]; docs/fleet.md says what belongs there"]);
    with(&manifest);

    let key = nodes.folder().join("fleet.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    told(2, &["others have access to it (mode 0644); run `chmod 600 "]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    with(&manifest.replace("fleet.key", "missing.key"));
    told(
        2,
        &["there is none; make it once with `precedent fleet key FILE`, and copy it to every node"],
    );
    nodes.write("a", "hollow.key", "canary-hollow");
    with(&manifest.replace("/fleet.key", "/a/hollow.key"));
    told(2, &["it is no key of a fleet"]);
    with(&manifest);
}

/// What is wrong with how it is reached, and with what the store lets this node do.
fn the_way_to_the_store(machines: &Machines) {
    let nodes = &machines.nodes;
    let manifest = nodes.read("a", "precedent.toml");
    let access = machines.cluster.access("a");
    let foreign = Authority::new(machines.cluster.folder(), "foreign");
    let paper = foreign.paper("a");
    let stranger = machines.cluster.access("stranger");
    let shown = |path: &std::path::Path| path.display().to_string();
    let (ca, certificate, key) =
        (access.ca.unwrap(), access.certificate.unwrap(), access.key.unwrap());
    let told = |changes: &[(&std::path::Path, &std::path::Path)], code: i32, says: &[&str]| {
        let mut text = manifest.clone();
        for (old, new) in changes {
            assert!(text.contains(&shown(old)));
            text = text.replace(&shown(old), &shown(new));
        }
        nodes.write("a", "precedent.toml", &text);
        let run = machines.run("a", &["fleet", "status"]);
        println!("{}", run.stderr.trim());
        run.ends(code, says);
        nodes.write("a", "precedent.toml", &manifest);
    };
    told(
        &[(&ca, &foreign.ca())],
        3,
        &["nobody known here vouches for its certificate", "[fleet] ca"],
    );
    told(
        &[(&certificate, &paper.certificate), (&key, &paper.key)],
        3,
        &["it does not take this node's certificate", "[fleet] certificate"],
    );
    let strange = (stranger.certificate.unwrap(), stranger.key.unwrap());
    told(
        &[(&certificate, &strange.0), (&key, &strange.1)],
        3,
        &["the store does not let this node do that", "docs/fleet.md"],
    );
    told(&[(&key, &strange.1)], 2, &[&shown(&strange.1)]);
    let gone = nodes.path("a", "gone.pem");
    told(&[(&certificate, &gone)], 2, &[&shown(&gone)]);
    // It is known, and may do nothing.
    machines.cluster.administer(&["user", "revoke-role", "a", "precedent/test/node"]);
    told(&[], 3, &["the store does not let this node do that", "docs/fleet.md"]);
    machines.cluster.administer(&["user", "grant-role", "a", "precedent/test/node"]);
}
