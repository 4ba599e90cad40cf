//! What OpenClaw's own service audit and repair were recorded to do, against the binary policy.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

use precedent::{
    cases::{self, Runner, Staged},
    decide::Policy,
    model::{Decision, Deed, Standing},
    secret::Key,
};
use serde_json::{Value, json};

use crate::support::{Sandbox, root, shipped_policy, tools};

const UNIT: &str = "~/.config/systemd/user/openclaw-gateway.service";
const NODE: &str = "~/.config/systemd/user/openclaw-node.service";
const CONFIG: &str = "~/.openclaw/openclaw.json";
const TOKEN: &str = "OPENCLAW_GATEWAY_TOKEN";

/// Recorded cases that are not run, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("install-plan", "they speak of variables that are no gateway credential"),
    (
        "2026.4.24/doctor-service-repair/010",
        "an update in progress is nothing that can be observed",
    ),
    ("2026.3.8/doctor-service-repair/003", LOCKS_OUT),
    ("2026.4.24/doctor-service-repair/008", LOCKS_OUT),
    ("2026.3.8/daemon-install/001", FAILS),
    ("2026.3.8/daemon-install/002", FAILS),
    ("2026.4.24/daemon-install/001", FAILS),
    ("2026.4.24/daemon-install/002", FAILS),
    ("2026.4.24/daemon-install/006", FAILS),
    ("2026.4.24/daemon-install/007", FAILS),
    ("2026.4.24/service-token/012", "the password comes from a file that the recording lacks"),
];

/// There OpenClaw empties the unit although the reference leads nowhere else; the policy keeps the
/// copy and says so (case 16).
const LOCKS_OUT: &str = "it locks the server out, which this policy must not";
const FAILS: &str =
    "an installation that is made to fail, or whose token step is replaced by a stand-in";

/// What the policy makes of an installation.
struct Ruled {
    staged: Staged,
    decision: Decision,
}

impl Ruled {
    fn of(policy: &Policy, runner: &mut Runner<'_>, case: &Value) -> Self {
        let case = cases::parse("case.json".as_ref(), &case.to_string()).unwrap().remove(0);
        let staged = runner.stage(&case).unwrap();
        let decision = policy.decide(&staged.observed.snapshot).unwrap().unwrap();
        Self { staged, decision }
    }

    fn codes(&self) -> BTreeSet<&str> {
        self.decision.findings.iter().map(|finding| finding.code.as_str()).collect()
    }

    /// The value that the gateway takes, as what it is compared with.
    fn gateway(&self, credential: &str) -> Standing {
        let snapshot = &self.staged.observed.snapshot;
        let is_it = |index: usize| {
            snapshot.consumers.get(index).is_some_and(|consumer| {
                consumer.name == "gateway" && snapshot.credential(consumer.credential) == credential
            })
        };
        let mut verdicts = self.decision.verdicts.iter();
        verdicts.find(|verdict| is_it(verdict.consumer.index())).unwrap().today
    }

    fn gateway_takes(&self, value: Option<&str>) -> bool {
        let snapshot = &self.staged.observed.snapshot;
        let taken = match self.gateway("gateway-token") {
            Standing::Copy(id) => snapshot.location(id).unwrap().presence.fingerprint(),
            _ => None,
        };
        taken == value.map(|value| Key::new([0; 32]).fingerprint(value.trim()))
    }

    /// The location that is written, and from which value, for each write into the configuration.
    fn written(&self) -> Vec<(String, String)> {
        let name = |id| self.staged.observed.snapshot.name_of(id);
        let of = |deed: &Deed| match deed {
            Deed::Write { from, to } => Some((name(*from), name(*to))),
            Deed::Mint { to, .. } => Some(("new".to_owned(), name(*to))),
            _ => None,
        };
        self.decision.actions.iter().filter_map(|action| of(&action.deed)).collect()
    }

    fn removed(&self) -> Vec<String> {
        let name = |id| self.staged.observed.snapshot.name_of(id);
        let of = |deed: &Deed| match deed {
            Deed::Remove(id) => Some(name(*id)),
            _ => None,
        };
        self.decision.actions.iter().filter_map(|action| of(&action.deed)).collect()
    }
}

/// A unit with these variables, those whose source is a file in one that it names.
fn unit(
    files: &mut serde_json::Map<String, Value>,
    path: &str,
    variables: &Value,
    sources: &Value,
) {
    let mut text = String::from("[Service]\nExecStart=/usr/bin/node /x/index.js gateway\n");
    let mut file = String::new();
    for (name, value) in variables.as_object().into_iter().flatten() {
        let quoted = value.as_str().unwrap().replace('\n', "\\n").replace('\r', "\\r");
        let source = sources[name].as_str().unwrap_or("inline");
        if source != "file" {
            text.push_str(&format!("Environment=\"{name}={quoted}\"\n"));
        }
        if source != "inline" {
            file.push_str(&format!("{name}={}\n", value.as_str().unwrap()));
        }
    }
    if !file.is_empty() {
        text.push_str("EnvironmentFile=/etc/openclaw.env\n");
        files.insert("/etc/openclaw.env".to_owned(), json!(file));
    }
    files.insert(path.to_owned(), json!(text));
}

fn case(
    version: &str,
    env: &Value,
    files: serde_json::Map<String, Value>,
    settings: Value,
) -> Value {
    json!({
        "deployment": {"phase": "check", "attributes": {"openclaw-version": version}},
        "env": env.as_object().cloned().unwrap_or_default().into_iter()
            .filter(|(name, _)| name != "HOME").collect::<serde_json::Map<_, _>>(),
        "files": files,
        "settings": settings,
        "expect": {},
    })
}

fn recorded(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(root().join("tests/corpus").join(name)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    document["cases"].as_array().unwrap().clone()
}

/// The audit of the newest release, for every recorded unit.
#[test]
fn units_are_judged_as_the_audit_does() {
    let (policy, reference) = shipped_policy("binary");
    let mut runner = Runner::new(&policy, reference);
    let mut count = 0;
    for recorded in recorded("service-cases.json") {
        let (id, kind) = (recorded["id"].as_str().unwrap(), recorded["kind"].as_str().unwrap());
        let (input, expect) = (&recorded["input"], &recorded["expect"]);
        let mut files = serde_json::Map::new();
        let config = match &input["config_token"] {
            Value::String(token) => json!({"gateway": {"auth": {"token": token}}}),
            _ => json!({"gateway": {}}),
        };
        files.insert(CONFIG.to_owned(), config);
        count += 1;
        match kind {
            "audit" | "audit_observed" => {
                let sources = &input["unit_environment_value_sources"];
                unit(&mut files, UNIT, &input["unit_environment"], sources);
                let ruled = Ruled::of(
                    &policy,
                    &mut runner,
                    &case("2026.9.6", &json!({}), files, json!({})),
                );
                let observed = &recorded["observed_2026_9_6"]["token_issue_codes"];
                let codes =
                    if observed.is_null() { &expect["token_issue_codes"] } else { observed };
                let codes: BTreeSet<&str> =
                    codes.as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
                let audit =
                    |code: &&str| code.ends_with("-embedded") || code.ends_with("-mismatch");
                let found: BTreeSet<&str> = ruled.codes().into_iter().filter(audit).collect();
                assert_eq!(found, codes, "{id}");
            }
            "token_drift" => {
                let variables = match input["unit_token"].as_str() {
                    Some(token) => json!({TOKEN: token}),
                    None => json!({}),
                };
                unit(&mut files, UNIT, &variables, &json!({}));
                let ruled = Ruled::of(
                    &policy,
                    &mut runner,
                    &case("2026.9.6", &json!({}), files, json!({})),
                );
                let drift = ruled.codes().contains("gateway-token-mismatch");
                assert_eq!(json!(drift), expect["drift"], "{id}");
            }
            "drift_config_token" => {
                files.insert(CONFIG.to_owned(), input["config"].clone());
                let version = recorded["source_version"].as_str().unwrap();
                let ruled = Ruled::of(
                    &policy,
                    &mut runner,
                    &case(version, &input["env"], files, json!({})),
                );
                if expect["throws"].is_string() {
                    let standing = ruled.gateway("gateway-token");
                    assert!(matches!(standing, Standing::Unresolved(_)), "{id}: {standing:?}");
                } else {
                    assert!(ruled.gateway_takes(expect["config_token"].as_str()), "{id}");
                }
            }
            // What the installer wrote into a unit is what we find there.
            "service_environment" => {
                let names = expect["keys"].as_array().unwrap();
                let token = expect["gateway_token_in_unit"].as_str();
                let value = |name: &str| if name == TOKEN { token.unwrap() } else { "x" };
                let variables: serde_json::Map<String, Value> = names
                    .iter()
                    .map(|name| name.as_str().unwrap())
                    .map(|name| (name.to_owned(), json!(value(name))))
                    .collect();
                let is_node = expect["service_kind"] == "node";
                let path = if is_node { NODE } else { UNIT };
                unit(&mut files, path, &Value::Object(variables), &json!({}));
                let ruled = Ruled::of(
                    &policy,
                    &mut runner,
                    &case("2026.9.6", &json!({}), files, json!({})),
                );
                let code = if is_node { "node-token-embedded" } else { "gateway-token-embedded" };
                assert_eq!(ruled.codes().contains(code), token.is_some(), "{id}");
            }
            other => panic!("{id}: unknown kind {other}"),
        }
    }
    assert_eq!(count, 67);
}

/// Repair, installation and what they make of tokens.
#[test]
fn repairs_come_to_what_the_repair_does() {
    let (policy, reference) = shipped_policy("binary");
    let mut runner = Runner::new(&policy, reference);
    let (mut run, mut left_out) = (0, 0);
    for recorded in recorded("repair-cases.json") {
        let id = recorded["id"].as_str().unwrap();
        if LEFT_OUT.iter().any(|(name, _)| id.contains(name)) {
            left_out += 1;
            continue;
        }
        run += 1;
        let (input, expect) = (&recorded["input"], &recorded["expect"]);
        let version = recorded["source_version"].as_str().unwrap();
        let kind = recorded["kind"].as_str().unwrap();
        let config = match &input["config_on_disk"]["config"] {
            Value::Object(disk) if !disk.is_empty() => json!(disk),
            _ => input["config"].clone(),
        };
        let mut files = serde_json::Map::new();
        files.insert(CONFIG.to_owned(), config);
        // Two of the steps look at the shell's own variables, whatever the service has.
        if kind != "install_token" && kind != "service_token" {
            let sources = &input["unit"]["environmentValueSources"];
            unit(&mut files, UNIT, &input["unit"]["environment"], sources);
        }
        // What a step mints is told by its name; the others mint nothing.
        let mints = kind == "daemon_install" || kind == "require_token_for_install";
        let settings = json!({"mint": mints});
        let ruled = Ruled::of(&policy, &mut runner, &case(version, &input["env"], files, settings));
        match kind {
            "doctor_repair" => doctor(id, &recorded, &ruled),
            "install_token" | "service_token" => {
                let written = ruled.written();
                assert!(written.is_empty(), "{id}: {written:?}");
                if expect["unavailable"] == true {
                    let standing = ruled.gateway("gateway-token");
                    let refused = ruled.codes().contains("auth-ambiguous");
                    assert!(
                        refused || matches!(standing, Standing::Unresolved(_)),
                        "{id}: {standing:?}"
                    );
                } else if let Some(token) = expect["token"].as_str() {
                    assert!(
                        ruled.gateway_takes(Some(token)),
                        "{id}: {:?}",
                        ruled.gateway("gateway-token")
                    );
                }
            }
            // A token is required where the policy would make one.
            "require_token_for_install" => {
                let required = ruled.written().iter().any(|(from, _)| from == "new");
                assert_eq!(json!(required), expect["required"], "{id}");
            }
            "daemon_install" => {
                let mut expected = Vec::new();
                if !expect["config_writes"].as_array().unwrap().is_empty() {
                    expected.push(("new".to_owned(), "config.auth-token".to_owned()));
                }
                assert_eq!(ruled.written(), expected, "{id}");
            }
            other => panic!("{id}: unknown kind {other}"),
        }
    }
    assert_eq!((run, left_out), (32, 24));
}

/// Whatever a repair passes as the expected token is what the server takes afterwards; the unit holds
/// none; and what is written into the configuration is that token.
fn doctor(id: &str, recorded: &Value, ruled: &Ruled) {
    let (input, expect) = (&recorded["input"], &recorded["expect"]);
    let embedded = &input["unit"]["environment"][TOKEN];
    let from_file = input["unit"]["environmentValueSources"][TOKEN] == "file";
    let removed: &[&str] =
        if embedded.is_string() && !from_file { &["unit.gateway-token"] } else { &[] };
    assert_eq!(ruled.removed(), removed, "{id}");
    let written = ruled.written();
    // Until 3.x the unit was written with the token; since then it is kept in the configuration.
    let keeps = expect["config_writes"].as_array().is_some_and(|writes| !writes.is_empty())
        || recorded["source_version"] == "2026.2.26";
    assert_eq!(!written.is_empty(), keeps, "{id}: {written:?}");
    for (from, to) in &written {
        assert_eq!(to, "config.auth-token", "{id}");
        let snapshot = &ruled.staged.observed.snapshot;
        let (_, source) = snapshot.location_named(from).unwrap();
        let token = expect["expected_token_passed_to_audit"]
            .as_str()
            .or(expect["final_plan_config_token"].as_str())
            .unwrap();
        let fingerprint = Key::new([0; 32]).fingerprint(token);
        assert_eq!(source.presence.fingerprint(), Some(fingerprint), "{id}");
    }
}

/// The units that OpenClaw itself wrote: the embedded token goes, all else stays byte for byte,
/// systemd is content, and a second run changes nothing.
#[test]
fn real_units_become_tokenless() {
    let systemd = tools::program("systemd-analyze");
    for (name, embeds) in
        [("openclaw-gateway-2026.2.26.service", true), ("openclaw-gateway-2026.3.8.service", false)]
    {
        let before = fs::read_to_string(root().join("tests/corpus/units").join(name)).unwrap();
        let sandbox = Sandbox::new().policy("binary");
        let unit = sandbox.path("home/.config/systemd/user/openclaw-gateway.service");
        fs::create_dir_all(unit.parent().unwrap()).unwrap();
        fs::write(&unit, &before).unwrap();
        // Read-only, as a package's file may be: the folder is the user's.
        fs::set_permissions(&unit, fs::Permissions::from_mode(0o444)).unwrap();
        fs::write(sandbox.config(), r#"{"gateway":{"auth":{"token":"canary-rotated"}}}"#).unwrap();
        let run = sandbox.run(&["apply"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.stdout.contains("✓ removed unit.gateway-token"), embeds, "{}", run.stdout);
        let after = fs::read_to_string(&unit).unwrap();
        let kept: Vec<&str> =
            before.split_inclusive('\n').filter(|line| !line.contains(TOKEN)).collect();
        assert_eq!(after, kept.concat(), "{name}");
        assert_eq!(fs::metadata(&unit).unwrap().permissions().mode() & 0o777, 0o444, "{name}");
        fs::set_permissions(&unit, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(before.len() > after.len(), embeds, "{name}");
        let again = sandbox.run(&["apply"]);
        assert!(again.stdout.contains("Nothing to change"), "{}", again.stdout);
        if let Some(mut analyze) = systemd.as_ref().map(std::process::Command::new) {
            // The program that the unit starts is not here; all else must be right.
            let content = after.replace("/opt/openclaw/node_modules/node/bin/node", "/bin/true");
            fs::write(&unit, content).unwrap();
            let output = analyze.args(["verify", "--man=no"]).arg(&unit).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.success() && !said.contains("openclaw-gateway"),
                "{name}: {said}"
            );
        }
    }
}
