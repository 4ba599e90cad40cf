//! What a write keeps, and what it never writes through.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use crate::support::{NEW, OLD, Sandbox, TOKEN, tools};

#[test]
fn only_the_token_changes() {
    let config = "\u{feff}{\r\n  // mine\r\n  'gateway': { remote: { token: 'canary-old', }, big: 9007199254740993 },\r\n}\r\n";
    let sandbox = Sandbox::with_config(config);
    assert_eq!(sandbox.run(&["apply", "--set", "persist=remote-only"]).code, Some(0));
    assert_eq!(sandbox.config_text(), config.replace(OLD, NEW));
}

#[test]
fn a_file_with_a_secret_is_its_owners_alone() {
    for (before, after) in [(0o644, 0o600), (0o600, 0o600), (0o660, 0o600)] {
        let sandbox = Sandbox::stale_remote();
        fs::set_permissions(sandbox.config(), fs::Permissions::from_mode(before)).unwrap();
        assert_eq!(sandbox.run(&["apply"]).code, Some(0));
        let mode = fs::metadata(sandbox.config()).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, after, "from {before:o}");
    }
}

#[test]
fn the_owner_is_kept() {
    if !rustix::process::geteuid().is_root() {
        return tools::skip("only root can give files away");
    }
    let sandbox = Sandbox::stale_remote();
    std::os::unix::fs::chown(sandbox.config(), Some(1234), Some(4321)).unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let metadata = fs::metadata(sandbox.config()).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (1234, 4321));
}

#[test]
fn a_link_stays_a_link() {
    let sandbox = Sandbox::stale_remote();
    let real = sandbox.path("home/real.json");
    fs::rename(sandbox.config(), &real).unwrap();
    symlink("../real.json", sandbox.config()).unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(fs::symlink_metadata(sandbox.config()).unwrap().is_symlink());
    assert!(fs::read_to_string(real).unwrap().contains(NEW));
}

/// A Secret as the kubelet mounts it: each file a link through `..data`, which is swapped.
fn mount_secret(sandbox: &Sandbox, generation: &str, token: &str) {
    let mount = sandbox.path("secret");
    fs::create_dir_all(mount.join(generation)).unwrap();
    fs::write(mount.join(generation).join("token"), token).unwrap();
    symlink(generation, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    if !mount.join("token").exists() {
        symlink("..data/token", mount.join("token")).unwrap();
    }
}

const WITH_SECRET: &str = r#"
deployment = { name = "mounted", preset = "openclaw" }
policy.name = "helm"

# The variable's place is taken by a mounted Secret.
[[locations]]
name = "env.gateway-token"
credential = "gateway-token"
file = "../secret/token"
label = "the Secret's token"
"#;

#[test]
fn a_mounted_secret_is_followed_when_it_is_swapped() {
    let sandbox = Sandbox::stale_remote().without(TOKEN);
    fs::write(sandbox.path("home/precedent.toml"), WITH_SECRET).unwrap();
    mount_secret(&sandbox, "..2026_1", "canary-first\n");
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(sandbox.config_text().contains("\"canary-first\""), "the newline is trimmed");
    mount_secret(&sandbox, "..2026_2", "canary-second\n");
    assert_eq!(sandbox.run(&["check"]).code, Some(4));
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(sandbox.config_text().contains("\"canary-second\""));
}

#[test]
fn a_config_inside_a_mount_is_never_written() {
    let sandbox = Sandbox::stale_remote();
    let text = sandbox.config_text();
    let mount = sandbox.path("home/.openclaw");
    fs::remove_file(sandbox.config()).unwrap();
    fs::create_dir(mount.join("..2026_1")).unwrap();
    fs::write(mount.join("..2026_1/openclaw.json"), text).unwrap();
    symlink("..2026_1", mount.join("..data")).unwrap();
    symlink("..data/openclaw.json", sandbox.config()).unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!(sandbox.home(), before);
    assert!(run.stdout.contains("target-read-only"), "{}", run.stdout);
}

#[test]
fn a_plain_file_can_be_a_target() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(fs::read_to_string(sandbox.path("home/token")).unwrap(), "canary-new\n");
}

#[test]
fn what_a_killed_run_left_is_removed() {
    let sandbox = Sandbox::stale_remote();
    let left = sandbox.path("home/.openclaw/.precedent-aBcDeF");
    fs::write(&left, "canary-new").unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(!left.exists());
}

#[test]
fn a_file_with_two_names_is_left_alone() {
    let sandbox = Sandbox::stale_remote();
    fs::hard_link(sandbox.config(), sandbox.path("home/other.json")).unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(4), before), "{run:?}");
    assert!(run.stdout.contains("target-read-only"), "{}", run.stdout);
}

/// The second of two files cannot take its place. The one before it is put back.
#[test]
fn what_fails_midway_is_put_back() {
    let Some(strace) = tools::program("strace") else { return };
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    let before = sandbox.home();
    // Of the gateway's lock, the first file and the second.
    let inject = "inject=renameat2:error=EBUSY:when=3";
    let strace = strace.to_str().unwrap();
    let strace = [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", inject];
    let mut command = sandbox.command_under(&strace);
    command.arg("apply");
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr.contains("token: Device or resource busy"), "{stderr}");
    assert_eq!(sandbox.home(), before);
    let journal = fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl")).unwrap();
    let record: serde_json::Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    assert_eq!(record["outcome"]["changes"][0]["status"], "rolled-back");
    assert_eq!(record["outcome"]["changes"][1]["status"], "failed");
    assert!(record["error"].as_str().unwrap().contains("busy"), "a failure is recorded too");
}
