//! The logins of agents before a restart: told, refused, mended from another node, and never moved where that
//! is forbidden.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::support::{Run, Sandbox};

const CODEX: &str = "openai-codex:default";
const OLD_ACCESS: &str = "canary-access-old";
const NEW_ACCESS: &str = "canary-access-new";
const OLD_REFRESH: &str = "canary-refresh-old";
const NEW_REFRESH: &str = "canary-refresh-new";
const DAY: u64 = 24 * 60 * 60 * 1000;

/// The last release that keeps logins in files.
const BEFORE: &str = "2026.7.35";
/// One that keeps them in a database.
const SINCE: &str = "2026.9.6";

/// Another node, which prints its files by ssh.
const PC_A: &str = r#"
[[profiles]]
name = "pc-a"
node = "PC-A"
agents = AGENTS
seconds = 2
read = ["ssh", "pc-a", "cat", ".openclaw/agents/{agent}/agent/auth-profiles.json"]
"#;

/// The server of the story, and the computer from which it was mended.
struct Fleet(Sandbox);

fn agents() -> Vec<String> {
    let work = (1..15).map(|number| format!("work-{number:02}"));
    std::iter::once("main".to_owned()).chain(work).collect()
}

/// In milliseconds.
fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn login(access: &str, refresh: &str, expires: u64) -> Value {
    json!({
        "type": "oauth", "provider": "openai-codex",
        "access": access, "refresh": refresh, "expires": expires,
        "accountId": "acct-1",
    })
}

fn store(login: &Value) -> Value {
    json!({
        "version": 1,
        "profiles": {CODEX: login},
        "lastGood": {"openai-codex": CODEX},
    })
}

impl Fleet {
    /// Fifteen agents whose logins have ended, and so has what renews them.
    fn new(version: &str) -> Self {
        let config = json!({
            "meta": {"lastTouchedVersion": version},
            "gateway": {"auth": {"token": "canary-gateway"}},
        });
        let sandbox = Sandbox::with_config(&config.to_string())
            .without("OPENCLAW_GATEWAY_TOKEN")
            .policy("nodes");
        let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
        let fleet = Self(sandbox.env("PATH", &path));
        let mut ended = login(OLD_ACCESS, OLD_REFRESH, now() - 2 * DAY);
        ended["refreshExpires"] = json!(now() - DAY);
        for agent in agents() {
            fleet.write(&fleet.here(&agent), &pretty(&store(&ended)));
        }
        let valid = store(&login(NEW_ACCESS, NEW_REFRESH, now() + DAY));
        for agent in agents() {
            fleet.write(&fleet.there(&agent), &valid.to_string());
        }
        let home = fleet.0.path("pc-a").display().to_string();
        fleet.ssh(&format!("shift; cd {home} && exec \"$@\""));
        fleet
    }

    /// The same with a manifest: the other node, and more.
    fn with(version: &str, more: &str) -> Self {
        let fleet = Self::new(version);
        fleet.manifest(&format!("{more}\n{}", PC_A.replace("AGENTS", &format!("{:?}", agents()))));
        fleet
    }

    fn manifest(&self, text: &str) {
        let head = "deployment.preset = \"openclaw\"\npolicy.name = \"nodes\"\n";
        self.write(&self.0.path("home/precedent.toml"), &format!("{head}{text}"));
    }

    fn ssh(&self, script: &str) {
        let path = self.0.path("bin/ssh");
        self.write(&path, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn here(&self, agent: &str) -> PathBuf {
        self.0.path(&format!("home/.openclaw/agents/{agent}/agent/auth-profiles.json"))
    }

    fn there(&self, agent: &str) -> PathBuf {
        self.0.path(&format!("pc-a/.openclaw/agents/{agent}/agent/auth-profiles.json"))
    }

    fn write(&self, path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn text(&self, agent: &str) -> String {
        fs::read_to_string(self.here(agent)).unwrap()
    }

    fn texts(&self) -> Vec<String> {
        agents().iter().map(|agent| self.text(agent)).collect()
    }

    fn run(&self, args: &[&str]) -> Run {
        self.0.run(args)
    }
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap())
}

#[track_caller]
fn says(text: &str, all: &[&str]) {
    for words in all {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

/// The hour of the story, before it begins.
#[test]
fn a_restart_that_kills_fifteen_agents_is_refused_before_it_happens() {
    let fleet = Fleet::new(BEFORE);
    let before = fleet.texts();
    let run = fleet.run(&["check", "--phase", "restart"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    says(
        &run.stdout,
        &[
            "The policy refuses: agents-lose-auth",
            "a restart would leave 15 of 15 agents without a login",
            &format!("{CODEX} of main, work-01, work-02, "),
            "and cannot be renewed: its refresh token ended 20",
            "15 agents reconnect at once after a restart, and agents.defaults.maxConcurrent lets 4 (its default) work: 12 carries them",
            "openclaw models auth login --provider openai-codex",
        ],
    );
    for agent in agents() {
        assert!(run.stdout.contains(&agent), "{agent}\n{}", run.stdout);
    }
    let (code, document) = fleet.0.json(&["check", "--phase", "restart"]);
    assert_eq!((code, &document["refusal"]["code"]), (Some(1), &json!("agents-lose-auth")));
    assert_eq!(document["refusal"]["locations"].as_array().unwrap().len(), 15);
    // Whoever only looks is told too, and whoever applies writes nothing: there is nothing to write.
    let run = fleet.run(&["check"]);
    assert_eq!(run.code, Some(4), "{run:?}");
    assert_eq!(fleet.run(&["apply"]).code, Some(4));
    assert_eq!(fleet.texts(), before);
}

/// What took an hour and a script: one command, and the restart is safe.
#[test]
fn a_valid_login_of_another_node_mends_every_agent() {
    let fleet = Fleet::with(BEFORE, "");
    let run = fleet.run(&["check", "--phase", "restart"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    says(&run.stdout, &["precedent apply writes 15 logins of PC-A (valid until 20"]);
    let (_, plan) = fleet.0.json(&["plan"]);
    let changes = plan["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 15, "{plan}");
    assert_eq!(changes[0]["from"], format!("pc-a@PC-A/main/{CODEX}"));
    assert_eq!(changes[0]["to"], format!("auth-profiles@main/{CODEX}"));
    let there: Value =
        serde_json::from_str(&fs::read_to_string(fleet.there("main")).unwrap()).unwrap();
    let expires = &there["profiles"][CODEX]["expires"];
    assert_eq!(changes[0]["expires"], json!(expires.as_u64().unwrap() / 1000));
    let before = fleet.text("work-07");
    let run = fleet.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    // The secret and its time, and not a byte more: what renews a login is where it was.
    let was: Value = serde_json::from_str(&before).unwrap();
    let was = was["profiles"][CODEX]["expires"].to_string();
    let seconds = expires.as_u64().unwrap() / 1000 * 1000;
    let wanted = before.replace(OLD_ACCESS, NEW_ACCESS).replace(&was, &seconds.to_string());
    for agent in agents() {
        let text = fleet.text(&agent);
        assert!(text.contains(OLD_REFRESH) && !text.contains(NEW_REFRESH), "{agent}");
        let mode = fs::metadata(fleet.here(&agent)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{agent}");
    }
    assert_eq!(fleet.text("work-07"), wanted);
    // All agents come back, and only that they do so at once is left to say.
    let run = fleet.run(&["check", "--phase", "restart"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(fleet.run(&["plan"]).stdout.contains("Nothing to change."));
    says(
        &fleet.run(&["explain"]).stdout,
        &["12 carries them", "set-facts = [\"agents.max-concurrent\"]"],
    );
    // And back.
    let run = fleet.run(&["rollback"]);
    assert_eq!((run.code, fleet.text("work-07")), (Some(0), before), "{run:?}");
}

#[test]
fn the_limit_is_raised_where_that_is_said_and_granted() {
    let raise = "settings.raise = true\n";
    let grants =
        "grants = { write = [\"auth-profiles\"], set-facts = [\"agents.max-concurrent\"] }\n";
    let fleet = Fleet::with(BEFORE, &format!("{raise}{grants}"));
    assert_eq!(fleet.run(&["apply"]).code, Some(0));
    let config: Value = serde_json::from_str(&fleet.0.config_text()).unwrap();
    assert_eq!(config["agents"]["defaults"]["maxConcurrent"], 12);
    assert_eq!(config["gateway"]["auth"]["token"], "canary-gateway");
    let run = fleet.run(&["check", "--phase", "restart"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!run.stdout.contains("maxConcurrent"), "{}", run.stdout);
    // Said, and not granted: nothing at all is written.
    let fleet = Fleet::with(BEFORE, raise);
    let before = fleet.texts();
    let run = fleet.run(&["apply"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("set agents.max-concurrent: no grant covers it"), "{run:?}");
    assert_eq!(fleet.texts(), before);
}

/// Where a database keeps the logins, a copy of a file is refused, in words, with what is to be done instead.
#[test]
fn a_copy_is_refused_where_a_database_keeps_the_logins() {
    let fleet = Fleet::with(SINCE, "");
    let before = fleet.0.home();
    let run = fleet.run(&["apply"]);
    assert_eq!(run.code, Some(4), "{run:?}");
    says(
        &run.stdout,
        &[
            "not copied here: 15 logins of PC-A; 2026.9.6 keeps logins in a database, and its documentation forbids to move one by copying files",
            "openclaw models auth login --provider openai-codex, on this node",
            "a leftover file blocks its providers",
            "openclaw doctor --fix",
        ],
    );
    assert!(fleet.run(&["plan"]).stdout.contains("Nothing to change."));
    assert_eq!(fleet.0.home(), before);
}

#[test]
fn no_grant_covers_what_renews_a_login() {
    let fleet = Fleet::with(BEFORE, "grants.write = [\"auth-profiles-refresh\"]\n");
    let run = fleet.run(&["plan"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("unknown location `auth-profiles-refresh`"), "{}", run.stderr);
    // Nor the logins, where the manifest says which places may be written and leaves them out.
    let fleet = Fleet::with(BEFORE, "grants.write = []\n");
    let run = fleet.run(&["apply"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("no grant covers it"), "{run:?}");
}

/// A token that both nodes have is told: the first that renews ends the login of the other.
#[test]
fn one_renewal_token_on_two_nodes_is_told_until_one_of_them_renews() {
    let fleet = Fleet::with(BEFORE, "");
    let valid = |access: &str| store(&login(access, OLD_REFRESH, now() + DAY)).to_string();
    fleet.write(&fleet.here("main"), &valid(OLD_ACCESS));
    fleet.write(&fleet.there("main"), &valid(NEW_ACCESS));
    let run = fleet.run(&["explain"]);
    says(&run.stdout, &["the first node that renews ends the login of the others"]);
}

#[test]
fn what_is_wrong_in_a_file_is_told_one_by_one_and_the_rest_goes_on() {
    let fleet = Fleet::new(BEFORE);
    for agent in agents() {
        let valid = store(&login(NEW_ACCESS, NEW_REFRESH, now() + DAY));
        fleet.write(&fleet.here(&agent), &valid.to_string());
    }
    let seconds = (now() + DAY) / 1000;
    let odd = json!({
        "version": 1,
        "profiles": {
            CODEX: login(NEW_ACCESS, NEW_REFRESH, now() + DAY),
            "anthropic:old": {"provider": "anthropic", "key": "canary-key"},
            "anthropic:new": {"type": "passkey", "key": "canary-key"},
            "google:seconds": {"type": "token", "provider": "google", "token": "canary-token", "expires": seconds},
            "google:key": {"type": "api_key", "provider": "google", "key": "canary-key"},
            "mistral:soon": {"type": "token", "provider": "mistral", "token": "canary-token", "expires": "soon"},
        },
    });
    fleet.write(&fleet.here("work-01"), &odd.to_string());
    let cut = fleet.text("work-02");
    fleet.write(&fleet.here("work-02"), cut.get(..cut.len() / 2).unwrap());
    let run = fleet.run(&["explain"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    says(
        &run.stdout,
        &[
            "anthropic:old in",
            "has no `type`, so it is left out; the rest goes on",
            "has a `type` that is not known here",
            &format!("the time at which google:seconds of work-01 ends, {seconds}, is in seconds"),
            "the time at which mistral:soon of work-01 ends is no number of milliseconds",
            "work-02/agent/auth-profiles.json:1:",
            "the file of its logins of work-02 cannot be read",
        ],
    );
    let run = fleet.run(&["check", "--phase", "restart"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    says(
        &run.stdout,
        &["a restart would leave 2 of 15 agents without a login", "mistral:soon of work-01"],
    );
}

/// A node that does not answer mends nothing, shows nothing, and is in nobody's way.
#[test]
fn a_node_that_does_not_answer_is_told_and_the_rest_goes_on() {
    let faults = [
        ("echo canary-in-an-error >&2; exit 255", "ended with 255; the rest goes on"),
        ("echo '{\"version\":1,'", "prints is no JSON; the rest goes on"),
        ("sleep 60", "gave no answer within 1 s"),
    ];
    for (script, words) in faults {
        let fleet = Fleet::new(BEFORE);
        let one = PC_A.replace("AGENTS", "[\"main\"]").replace("seconds = 2", "seconds = 1");
        fleet.manifest(&one);
        fleet.ssh(script);
        let run = fleet.run(&["explain"]);
        assert_eq!(run.code, Some(0), "{script}: {run:?}");
        says(&run.stdout, &["the logins of main on PC-A", words]);
        assert_eq!(fleet.run(&["check", "--phase", "restart"]).code, Some(1), "{script}");
    }
}

/// A deployment under another policy is what it was.
#[test]
fn the_other_policies_are_shown_nothing_of_the_logins() {
    let fleet = Fleet::new(BEFORE);
    for policy in ["binary", "helm", "paas"] {
        let (_, document) = fleet.0.json(&["explain", "--policy", policy]);
        let text = document.to_string();
        assert!(
            !text.contains("agent:main") && !text.contains("auth-profiles@"),
            "{policy}: {text}"
        );
    }
    let (_, document) = fleet.0.json(&["explain"]);
    assert!(document.to_string().contains("agent:main"), "{document}");
}

#[test]
fn profiles_that_cannot_be_are_told_where_they_stand() {
    let mistakes = [
        ("path = \"a.json\"", "a `path` has one `*`"),
        ("path = \"*/*.json\"", "a `path` has one `*`"),
        ("path = \"*.json\"\nagents = [\"main\"]", "has no `*`"),
        ("path = \"*.json\"\nread = [\"x\"]\nnode = \"x\"", "exactly one of `path` and `read`"),
        ("node = \"x\"", "exactly one of `path` and `read`"),
        ("read = []\nnode = \"x\"", "begins with the name of a program"),
        ("read = [\"x\"]", "name it: `node = \"...\"`"),
        ("read = [\"x\"]\nnode = \"x\"\nseconds = 0", "1 to 300 are allowed"),
        ("read = [\"x\"]\nnode = \"x\"\nagents = [\"a\", \"b\"]", "`read` has `{agent}` in it"),
        ("path = \"*.json\"\nlock-suffix = \"\"", "is no end of a name"),
        ("path = \"*.json\"\nreed = 1", "unknown field `reed`"),
    ];
    for (table, words) in mistakes {
        let fleet = Fleet::new(BEFORE);
        fleet.manifest(&format!("[[profiles]]\nname = \"more\"\n{table}\n"));
        let run = fleet.run(&["check"]);
        assert_eq!(run.code, Some(2), "{table}: {run:?}");
        assert!(run.stderr.contains(words), "{table}: {}", run.stderr);
        assert!(run.stderr.contains("precedent.toml:"), "{table}: {}", run.stderr);
    }
    for name in ["a@b", "config.auth-token"] {
        let fleet = Fleet::new(BEFORE);
        fleet.manifest(&format!("[[profiles]]\nname = \"{name}\"\npath = \"*.json\"\n"));
        assert_eq!(fleet.run(&["check"]).code, Some(2), "{name}");
    }
}

/// What renews a login serves once: whoever asks for it by name, it is sealed to no other node.
#[test]
fn what_renews_a_login_is_handed_to_nobody() {
    let fleet = Fleet::new(BEFORE);
    let (_, identity) = fleet.0.json(&["identity"]);
    let export = |credential: &str, from: &str| {
        let to = identity["recipient"].as_str().unwrap();
        let words = ["export", "--policy", "nodes", "--credential", credential, "--from", from];
        fleet.0.run(&[&words[..], &["--to", to]].concat())
    };
    let run =
        export(&format!("oauth-refresh:{CODEX}"), &format!("auth-profiles-refresh@main/{CODEX}"));
    assert_ne!(run.code, Some(0), "{run:?}");
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("may serve only once"), "{}", run.stderr);
}
