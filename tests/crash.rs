//! Kills a run at every system call that changes a file, for every kind of target. After each kill
//! every file is as it was or as it was to be, what is left beside it is nobody else's, and what is
//! kept tells no secret; the next run ends where a run that nobody kills does, and leaves nothing.
//!
//! And lets each of those calls fail: then all files are as they were, or all as they were to be, as
//! the run says.

mod victim;

use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
};

use crate::support::{NEW, OLD, Sandbox, TOKEN, tools};
use victim::{Blow, Victim, enumerate};

fn report(victim: &Victim) {
    let killed = enumerate(victim, Blow::Kill);
    // Past the test runner, which keeps what a passing test prints to itself.
    let line = format!("KILLED: {} at {killed} of {killed} system calls: 0 lost", victim.name);
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn fails_everywhere(victim: &Victim) {
    victim.settle();
    let failed = enumerate(victim, Blow::Fail);
    let line = format!("ERRORS: {} at {failed} of {failed} system calls: 0 lost", victim.name);
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

const UNIT: &str = "home/.config/systemd/user/openclaw-gateway.service";

/// A machine with a service: the configuration is the truth, and the rest is to follow.
fn daemon(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new().policy("binary");
    let config = format!(r#"{{"gateway":{{"auth":{{"token":"{NEW}"}}}}}}"#);
    fs::write(sandbox.config(), config).unwrap();
    for (name, text) in files {
        let path = sandbox.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    sandbox
}

fn killed_everywhere(victim: &Victim) {
    victim.settle();
    report(victim);
}

#[test]
fn a_configuration() {
    killed_everywhere(&Victim::new("configuration", Sandbox::stale_remote(), &["apply"]));
}

#[test]
fn a_configuration_behind_a_link() {
    let sandbox = Sandbox::stale_remote();
    let real = sandbox.path("home/real.json");
    fs::rename(sandbox.config(), &real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    symlink("../real.json", sandbox.config()).unwrap();
    killed_everywhere(&Victim::new("link", sandbox, &["apply"]));
}

#[test]
fn a_file_that_a_configuration_goes_on_in() {
    let config = r#"{"$include":"./gateway.json5"}"#;
    let sandbox = Sandbox::with_config(config);
    let part = "// mine\n{gateway:{auth:{token:'canary-old'},remote:{token:'canary-old'}}}\n";
    fs::write(sandbox.path("home/.openclaw/gateway.json5"), part).unwrap();
    killed_everywhere(&Victim::new("included file", sandbox, &["apply"]));
}

#[test]
fn two_files_at_once() {
    killed_everywhere(&Victim::new("two files", Sandbox::two_files(), &["apply"]));
}

fn mounted() -> Victim {
    let sandbox = Sandbox::two_files();
    // Longer than what takes its place, so that there is something to cut off.
    fs::write(sandbox.path("home/token"), format!("{OLD}-{}\n", "x".repeat(9000))).unwrap();
    let mut victim = Victim::new("mounted file", sandbox, &["apply"]);
    victim.mount = Some("token");
    victim
}

#[test]
fn a_file_that_is_a_mount() {
    killed_everywhere(&mounted());
}

/// New bytes over old ones: known for what it is, and put back, whatever is decided afterwards.
#[test]
fn a_mount_that_is_half_written_is_put_back() {
    let Some(strace) = tools::program("strace") else { return };
    let mut victim = mounted();
    victim.settle();
    let token = victim.sandbox.path("home/token");
    let text = || fs::read_to_string(&token).unwrap();
    let old = text();
    let is_torn = (1..6).any(|count| {
        victim.reset();
        let inject = format!("inject=ftruncate:signal=KILL:when={count}");
        let strace = strace.display().to_string();
        let under =
            [&strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=ftruncate", "-e", &inject];
        victim.start(&under.map(ToOwned::to_owned), &["apply"]);
        text() != old && text() != "canary-new\n"
    });
    assert!(is_torn && text().starts_with("canary-new\n"), "a kill that leaves it half written");
    victim.sandbox.unset(TOKEN);
    let next = victim.start(&[], &["apply"]);
    assert_eq!(text(), old, "{next:?}");
}

#[test]
fn a_dotenv_file() {
    let text = "# mine\nexport OPENCLAW_GATEWAY_TOKEN='canary-old' # ours\n";
    killed_everywhere(&Victim::new("dotenv", daemon(&[("home/.openclaw/.env", text)]), &["apply"]));
}

#[test]
fn a_unit_and_its_drop_in() {
    let unit = "[Unit]\nDescription=OpenClaw\n[Service]\nExecStart=/usr/bin/openclaw gateway\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-old\n";
    let drop_in = "[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-older\n";
    let files = [(UNIT, unit), (&*format!("{UNIT}.d/10-token.conf"), drop_in)];
    killed_everywhere(&Victim::new("unit", daemon(&files), &["apply"]));
}

#[test]
fn a_property_list() {
    let list = "<?xml version=\"1.0\"?>\n<plist version=\"1.0\"><dict><key>Label</key><string>ai.openclaw.gateway</string><key>EnvironmentVariables</key><dict><key>OPENCLAW_GATEWAY_TOKEN</key><string>canary-old</string></dict></dict></plist>\n";
    let file = "home/Library/LaunchAgents/ai.openclaw.gateway.plist";
    killed_everywhere(&Victim::new("property list", daemon(&[(file, list)]), &["apply"]));
}

fn rotation() -> Victim {
    let env = "OPENCLAW_GATEWAY_TOKEN=canary-new\n";
    let environment = "A=1\nOPENCLAW_GATEWAY_TOKEN=canary-new\n";
    let unit = "[Service]\nExecStart=/usr/bin/openclaw gateway\nEnvironmentFile=%h/openclaw.env\n";
    let sandbox =
        daemon(&[("home/.openclaw/.env", env), ("home/openclaw.env", environment), (UNIT, unit)]);
    let mut victim = Victim::new("rotation", sandbox, &["rotate", "--stdin"]);
    victim.input = Some("canary-rotated-and-long-enough\n");
    victim.next = vec!["apply"];
    victim.may_be_undone = true;
    victim
}

#[test]
fn a_rotation() {
    killed_everywhere(&rotation());
}

#[test]
fn a_rollback() {
    let victim = Victim::new("rollback", Sandbox::two_files(), &["rollback", "000001"]);
    victim.settle();
    assert_eq!(victim.start(&[], &["apply"]).status.code(), Some(0));
    victim.keep();
    let victim = Victim { next: vec!["apply"], ..victim };
    // The next run decides anew, and writes what was taken back.
    report(&Victim { may_be_undone: true, ..victim });
}

/// The run after a kill is killed too: wherever, the one after that ends it.
#[test]
fn a_recovery() {
    let Some(strace) = tools::program("strace") else { return };
    let mut victim = Victim::new("recovery", Sandbox::two_files(), &["apply"]);
    victim.settle();
    victim.earlier = victim.home();
    let intent = victim.sandbox.path("state/runs-openclaw/000001/intent.json");
    let token = victim.sandbox.path("home/token");
    let is_half = || {
        let config = victim.sandbox.config_text();
        intent.exists() && config.contains(NEW) != fs::read_to_string(&token).unwrap().contains(NEW)
    };
    let killed = (1..40).find(|count| {
        victim.reset();
        let words = format!(
            "-f -qq -e trace=renameat2 -e inject=renameat2:signal=KILL:when={count} -o /dev/null"
        );
        let mut under = vec![strace.display().to_string()];
        under.extend(words.split(' ').map(ToOwned::to_owned));
        victim.start(&under, &victim.run);
        is_half()
    });
    assert!(killed.is_some(), "a kill that leaves one of two files changed");
    // What the killed run left is part of what is found.
    victim.keep();
    report(&victim);
}

/// Without a folder to keep anything in, one file is still old or new.
#[test]
fn without_a_state_folder() {
    let sandbox = Sandbox::stale_remote();
    let mut victim = Victim::new("no state folder", sandbox, &["apply"]);
    victim.settle();
    victim.sandbox.set("PRECEDENT_STATE_DIR", "/proc/nowhere");
    report(&victim);
}

#[test]
fn calls_that_fail_with_one_file() {
    fails_everywhere(&Victim::new("configuration", Sandbox::stale_remote(), &["apply"]));
}

#[test]
fn calls_that_fail_with_two_files() {
    fails_everywhere(&Victim::new("two files", Sandbox::two_files(), &["apply"]));
}

#[test]
fn calls_that_fail_with_a_mount() {
    fails_everywhere(&mounted());
}

#[test]
fn calls_that_fail_in_a_rotation() {
    fails_everywhere(&rotation());
}
