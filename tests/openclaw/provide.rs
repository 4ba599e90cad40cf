//! OpenClaw asks `precedent provide` for its token, set up as docs/provide.md says, and its own tool
//! applies a plan of ours.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Output};

use serde_json::{Value, json};

use super::installation::{CONFIG_FIRST, Installation, Release, VARIABLE_FIRST};
use crate::support::{NEW, OLD, TOKEN, root};

const SECRET: &str = "/var/run/secrets/openclaw/token";
const MANIFEST: &str = "/etc/openclaw/precedent.toml";
const PROGRAM: &str = "/usr/local/bin/precedent";

fn page() -> String {
    fs::read_to_string(root().join("docs/provide.md")).unwrap()
}

/// The first block of a kind in the page.
fn block(page: &str, kind: &str) -> String {
    let start = format!("```{kind}\n");
    page.split(&start).nth(1).unwrap().split("```").next().unwrap().to_owned()
}

/// A deployment as the page has it, with its three paths in this sandbox.
struct Asking {
    machine: Installation,
    secret: PathBuf,
}

impl Asking {
    fn new(release: &'static Release) -> Option<Self> {
        let machine = Installation::new(release)?;
        let page = page();
        let secret = machine.sandbox.path("home/mounted-token");
        let manifest = machine.sandbox.path("home/asked.toml");
        let here = |text: &str| {
            for path in [SECRET, MANIFEST, PROGRAM] {
                assert!(page.contains(path), "the page does not say {path}");
            }
            text.replace(SECRET, secret.to_str().unwrap())
                .replace(MANIFEST, manifest.to_str().unwrap())
                .replace(PROGRAM, machine.sandbox.program.to_str().unwrap())
        };
        fs::write(&manifest, here(&block(&page, "toml"))).unwrap();
        machine.write(None, None);
        let shown: Value = serde_json::from_str(&here(&block(&page, "json"))).unwrap();
        let mut config: Value = serde_json::from_str(&machine.sandbox.config_text()).unwrap();
        config["gateway"]["auth"] = shown["gateway"]["auth"].clone();
        config["secrets"] = shown["secrets"].clone();
        // This build is slow, and the machine is busy.
        config["secrets"]["providers"]["precedent"]["timeoutMs"] = 60_000.into();
        fs::write(machine.sandbox.config(), config.to_string()).unwrap();
        let asking = Self { machine, secret };
        // From here on the policy is there compiled.
        asking.explained();
        Some(asking)
    }

    fn mount(&self, token: &str) {
        fs::write(&self.secret, format!("{token}\n")).unwrap();
        fs::set_permissions(&self.secret, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Has the gateway look again, as the page says, with the token that it still knows.
    fn reload(&self, token: &str) -> Output {
        assert!(
            page().contains("OPENCLAW_GATEWAY_URL=ws://127.0.0.1:18789 openclaw secrets reload")
        );
        let url = format!("ws://127.0.0.1:{}", self.machine.port);
        let mut command = self.machine.openclaw(Some(token));
        command.env("OPENCLAW_GATEWAY_URL", url).args(["secrets", "reload", "--json"]);
        self.heard(command.output().unwrap())
    }

    fn openclaw(&self, args: &[&str]) -> Output {
        self.heard(self.machine.openclaw(None).args(args).output().unwrap())
    }

    fn heard(&self, output: Output) -> Output {
        self.machine.sandbox.hear(&output);
        output
    }

    fn manifest(&self) -> String {
        self.machine.sandbox.path("home/asked.toml").display().to_string()
    }

    /// What explain says of the gateway's token.
    fn explained(&self) -> Value {
        let (_, said) = self.machine.sandbox.json(&["explain", "--manifest", &self.manifest()]);
        said["consumers"][0].clone()
    }
}

#[test]
fn the_latest_asks_for_its_token() {
    asks(&CONFIG_FIRST);
}

#[test]
fn the_last_whose_clients_read_the_variable_first_asks_too() {
    asks(&VARIABLE_FIRST);
}

fn asks(release: &'static Release) {
    let Some(asking) = Asking::new(release) else { return };
    let machine = &asking.machine;

    // No secret, no gateway; and not one with a token that nobody knows.
    assert!(machine.try_start(None).is_none(), "{}", machine.output());
    assert!(machine.output().contains("secret"), "{}", machine.output());

    asking.mount(OLD);
    let validated = asking.openclaw(&["config", "validate"]);
    assert!(validated.status.success(), "{validated:?}");
    let gateway = machine.try_start(None).unwrap_or_else(|| panic!("{}", machine.output()));
    assert!(machine.accepts(OLD));
    assert!(!machine.accepts(NEW));
    machine.becomes_healthy(None);
    let audit = asking.openclaw(&["secrets", "audit", "--check", "--allow-exec", "--json"]);
    assert!(audit.status.success(), "{audit:?}");

    // What OpenClaw gets is what the other verbs say that it gets.
    let explained = asking.explained();
    let told = [&explained["standing"], &explained["drift"], &explained["wanted"]];
    assert_eq!(told, [&json!("copy"), &json!(false), &json!("env.gateway-token")], "{explained}");
    let check = machine.sandbox.run(&["check", "--manifest", &asking.manifest()]);
    assert_eq!(check.code, Some(0), "{check:?}");

    // Rotated: the gateway goes over to the new token without a restart.
    asking.mount("canary-rotated");
    assert!(machine.accepts(OLD), "until it looks again");
    let reload = asking.reload(OLD);
    let said = String::from_utf8_lossy(&[&*reload.stdout, &*reload.stderr].concat()).into_owned();
    // The older one closes the very connection, for its token is no longer the right one.
    assert!(reload.status.success() || said.contains("gateway auth changed"), "{reload:?}");
    assert!(machine.accepts("canary-rotated"));
    assert!(!machine.accepts(OLD), "the old token is refused");
    machine.becomes_healthy(None);

    // The source goes: the last good token stays, and the command says so.
    fs::remove_file(&asking.secret).unwrap();
    let reload = asking.reload("canary-rotated");
    assert!(!reload.status.success(), "{reload:?}");
    assert!(machine.accepts("canary-rotated"));
    drop(gateway);
    assert!(!machine.sandbox.config_text().contains("canary-"));
}

#[test]
fn openclaws_own_tool_applies_our_plan() {
    for release in [&CONFIG_FIRST, &VARIABLE_FIRST] {
        applied_by_openclaw(release);
    }
}

fn applied_by_openclaw(release: &'static Release) {
    let Some(mut machine) = Installation::new(release) else { return };
    machine.write(Some(OLD), Some(OLD));
    machine.set_token(Some(NEW));
    // The variable stands in the state directory's .env too, from which nothing is taken.
    let dotenv = machine.sandbox.path("home/.openclaw/.env");
    fs::write(&dotenv, format!("{TOKEN}={OLD}\n")).unwrap();
    let known = format!("openclaw-version={}", release.version);
    let words = "plan --policy helm --set persist=reference --format openclaw-secrets";
    assert!(page().contains(words));
    let args: Vec<&str> = words.split(' ').chain(["--attribute", &known]).collect();
    let plan = machine.sandbox.run(&args);
    assert_eq!(plan.code, Some(0), "{plan:?}");
    let file = machine.sandbox.path("plan.json").display().to_string();
    fs::write(&file, &plan.stdout).unwrap();

    let apply = |more: &[&str]| {
        let mut command = machine.openclaw(Some(NEW));
        command.args(["secrets", "apply", "--from", &file, "--json"]).args(more);
        let output = command.output().unwrap();
        machine.sandbox.hear(&output);
        assert!(output.status.success(), "{}: {output:?}", release.version);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let before = machine.sandbox.config_text();
    assert_eq!(apply(&["--dry-run"])["changed"], true);
    assert_eq!(machine.sandbox.config_text(), before);
    apply(&[]);
    let config: Value = serde_json::from_str(&machine.sandbox.config_text()).unwrap();
    let reference = json!({"source": "env", "provider": "default", "id": TOKEN});
    assert_eq!(config["gateway"]["auth"]["token"], reference);
    assert_eq!(config["gateway"]["remote"]["token"], reference);
    assert_eq!(fs::read_to_string(dotenv).unwrap(), format!("{TOKEN}={OLD}\n"));
    assert_eq!(apply(&[])["changed"], false, "it is done");

    // As Precedent sees it, and as the gateway does.
    let args = ["check", "--policy", "helm", "--set", "persist=reference", "--attribute", &known];
    let check = machine.sandbox.run(&args);
    assert_eq!(check.code, Some(0), "{}: {check:?}", release.version);
    let gateway = machine.start(NEW);
    assert!(machine.accepts(NEW));
    assert!(!machine.accepts(OLD));
    machine.becomes_healthy(Some(NEW));
    drop(gateway);
}
