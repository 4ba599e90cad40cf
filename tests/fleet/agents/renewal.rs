//! A login that may be renewed once is renewed once, whoever asks and whatever breaks.

use std::{fs, process::Child, thread, time::Duration};

use super::{
    LOGINS,
    machine::{Machines, NAMES, Run},
};
use crate::cluster::alone;

/// Says who runs it, takes a while, and tells where two run at a time.
struct Renewal<'r> {
    machines: &'r Machines,
}

impl Renewal<'_> {
    fn begin(&self, name: &str, seconds: u32, more: &[&str]) -> Child {
        let folder = self.machines.nodes.folder().display();
        let script = format!(
            "mkdir {folder}/lock || {{ echo $NODE >> {folder}/two; exit 1; }}; echo $NODE >> {folder}/ran; sleep {seconds}; rmdir {folder}/lock"
        );
        let words = ["fleet", "renew", "--credential", "oauth:openai-codex:default"];
        let command = ["--", "sh", "-c", script.as_str()];
        let mut child = self.machines.begin(name, &[&words[..], more, &command].concat());
        drop(child.stdin.take());
        child
    }

    fn run(&self, name: &str, more: &[&str]) -> Run {
        let child = self.begin(name, 0, more);
        self.machines.end(name, child)
    }

    fn all_at_once(&self, seconds: u32, meanwhile: impl FnOnce()) -> Vec<Run> {
        let children = NAMES.map(|name| (name, self.begin(name, seconds, &[])));
        meanwhile();
        let runs = children.map(|(name, child)| self.machines.end(name, child));
        self.never_two();
        runs.into()
    }

    fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.machines.nodes.folder().join("ran"));
        text.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn wait_for(&self, count: usize) {
        self.machines.wait("it runs", |_| self.ran().len() >= count);
    }

    #[track_caller]
    fn never_two(&self) {
        let two = fs::read_to_string(self.machines.nodes.folder().join("two"));
        assert!(two.is_err(), "two at a time: {two:?}, {:?}", self.ran());
    }
}

#[test]
fn a_login_is_renewed_once_whoever_asks() {
    let _alone = alone();
    let machines = Machines::new("nodes", LOGINS);
    NAMES.iter().for_each(|name| machines.nodes.log_in(name, "canary-access", 12));
    machines.start_all();
    machines.settle("at the beginning", || true);
    let renewal = Renewal { machines: &machines };

    for round in 1..=2 {
        // Long enough that all ask while one is at it.
        let runs = renewal.all_at_once(3, || {});
        assert_eq!(renewal.ran().len(), round, "{runs:#?}");
        assert!(runs.iter().all(|run| run.code == Some(0)), "{runs:#?}");
        let told = runs.iter().filter(|run| {
            let says = format!("was renewed by {} at", renewal.ran()[round - 1]);
            run.stderr.contains(&says) && run.stderr.contains("nothing was run here")
        });
        assert_eq!(told.count(), NAMES.len() - 1, "{runs:#?}");
    }
    println!("five at once, 2 rounds: {:?}", renewal.ran());

    // One that fails is no renewal: the next one tries.
    let words = ["fleet", "renew", "--credential", "oauth:openai-codex:default", "--", "false"];
    machines.run("d", &words).ends(3, &["`false` failed: exit status: 1"]);
    renewal.run("e", &[]).ends(0, &[]);
    assert_eq!(renewal.ran().len(), 3);

    // Who is at it dies: nobody knows what came of it.
    let mut child = renewal.begin("b", 4, &[]);
    renewal.wait_for(4);
    let busy = renewal.run("c", &["--wait", "0"]);
    busy.ends(3, &["b is at it since", "wait, or see what it does with `precedent fleet status`"]);
    child.kill().unwrap();
    child.wait().unwrap();
    for name in ["c", "b"] {
        renewal.run(name, &["--wait", "60"]).ends(
            1,
            &[
                "b began to renew oauth:openai-codex:default at 20",
                "nobody knows what came of it: what renews it may be used up",
                "see whether the login of b is valid",
                "--anyway renews it here",
            ],
        );
    }
    assert_eq!(renewal.ran().len(), 4);
    renewal.run("c", &["--anyway"]).ends(0, &[]);
    renewal.run("d", &[]).ends(0, &[]);
    assert_eq!(renewal.ran()[4..], ["c", "d"]);
    renewal.never_two();

    // The store's leader dies in the middle.
    let mut codes = Vec::new();
    for _ in 0..2 {
        let before = renewal.ran().len();
        let runs = renewal.all_at_once(3, || {
            renewal.wait_for(before + 1);
            let leader = machines.cluster.leader();
            machines.cluster.kill(leader);
            thread::sleep(Duration::from_secs(3));
            machines.cluster.run(leader);
        });
        machines.cluster.wait_until_well();
        let ended: Vec<_> = runs.iter().map(|run| run.code.unwrap()).collect();
        for run in &runs {
            assert!([0, 1, 3].contains(&run.code.unwrap()), "{run:?}");
        }
        // Once, and again at most where it is known that nobody is at it.
        assert!(renewal.ran().len() > before, "{runs:#?}");
        codes.push((renewal.ran().len() - before, ended));
        renewal.run("a", &["--anyway"]).ends(0, &[]);
        renewal.never_two();
    }
    println!("the store's leader killed in the middle, 2 rounds of (runs, codes): {codes:?}");
    machines.settle("at the end", || true);
    println!("{} runs; {}", renewal.ran().len(), machines.is_clean());
}
