//! What is seen and written: changes of every shape, each once.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
    thread,
};

use rustix::process::Signal;
use serde_json::Value;

use super::{MOUNTED, SETTLED, Watching, mounted, records, swap};
use crate::support::{NEW, Sandbox, TOKEN, fixture};

const CONFIG: &str = r#"{"gateway":{"auth":{"token":"canary-0"},"remote":{"token":"canary-0"}}}"#;

fn identity(path: &Path) -> (u64, i64, i64, i64) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.ctime_nsec())
}

#[test]
fn a_mounted_secret_that_is_swapped_is_followed_each_time() {
    let sandbox = mounted("canary-0", CONFIG);
    let mut watching = Watching::new(&sandbox, &["--apply"]);
    let first = watching.next();
    assert_eq!((&first["event"], &first["drift"]), (&"seen".into(), &false.into()), "{first}");
    for number in 1..4 {
        swap(&sandbox, number, &format!("canary-{number}"));
        let applied = watching.until("applied");
        assert_eq!(applied["outcome"][0]["status"], "applied", "{applied}");
        let seen = watching.until("seen");
        assert_eq!((&seen["drift"], &seen["changes"]), (&false.into(), &Value::Array(vec![])));
        assert_eq!(sandbox.config_text().matches(&format!("canary-{number}")).count(), 2);
    }
    // What it wrote itself woke it at most to find nothing new.
    let (before, count) = (identity(&sandbox.config()), records(&sandbox));
    watching.is_quiet();
    assert_eq!((identity(&sandbox.config()), records(&sandbox)), (before, count));
    watching.end();
}

#[test]
fn what_is_in_step_is_not_written() {
    let sandbox = mounted("canary-0", CONFIG);
    let mut watching = Watching::new(&sandbox, &["--apply"]);
    watching.until("seen");
    let (before, count) = (identity(&sandbox.config()), records(&sandbox));
    // The same secret once more, as the kubelet may do, and a file of the same words.
    swap(&sandbox, 1, "canary-0\n");
    fs::write(sandbox.path("home/.openclaw/else.json"), "{}").unwrap();
    watching.is_quiet();
    assert_eq!((identity(&sandbox.config()), records(&sandbox)), (before, count));
    // It lives, and looks.
    swap(&sandbox, 2, "canary-2");
    watching.until("applied");
    watching.end();
}

#[test]
fn many_writes_are_one_change() {
    let sandbox = mounted("canary-0", CONFIG);
    let mut watching = Watching::new(&sandbox, &["--apply"]);
    watching.until("seen");
    let token = sandbox.path("home/secret/..2026_0/token");
    for number in 0..50 {
        fs::write(&token, format!("canary-burst-{number}")).unwrap();
    }
    watching.until("applied");
    assert_eq!(sandbox.config_text().matches("canary-burst-49").count(), 2);
    let seen = watching.next();
    assert_eq!((&seen["event"], &seen["drift"]), (&"seen".into(), &false.into()), "{seen}");
    watching.is_quiet();
    watching.end();
}

#[test]
fn an_editor_and_a_file_that_comes_later_are_seen() {
    let sandbox = Sandbox::new().env(TOKEN, NEW);
    fs::remove_dir_all(sandbox.path("home/.openclaw")).unwrap();
    let mut watching = Watching::new(&sandbox, &["--policy", "helm"]);
    let first = watching.next();
    assert_eq!(first["changes"], Value::Array(vec![]));
    // Its folder, then itself.
    fs::create_dir(sandbox.path("home/.openclaw")).unwrap();
    thread::sleep(SETTLED);
    let stale = r#"{"gateway":{"remote":{"token":"canary-old"}}}"#;
    fs::write(sandbox.config(), stale).unwrap();
    let seen = watching.until("seen");
    assert_eq!(seen["changes"][1]["to"], "config.remote-token", "{seen}");
    // Only told, and not written.
    assert_eq!(sandbox.config_text(), stale);
    // As editors write: a new file in the place of the old one, which stays as a backup.
    let draft = sandbox.path("home/.openclaw/.openclaw.json.swp");
    let edited = stale.replace("canary-old", NEW).replace("remote", "auth");
    fs::write(&draft, edited).unwrap();
    fs::rename(sandbox.config(), sandbox.path("home/.openclaw/openclaw.json~")).unwrap();
    fs::rename(&draft, sandbox.config()).unwrap();
    let seen = watching.until("seen");
    assert_eq!(seen["changes"][0]["to"], "config.remote-token", "{seen}");
    // The whole folder is another one, by a link.
    fs::rename(sandbox.path("home/.openclaw"), sandbox.path("home/kept")).unwrap();
    fs::write(sandbox.path("home/kept/openclaw.json"), "{}").unwrap();
    symlink("kept", sandbox.path("home/.openclaw")).unwrap();
    let seen = watching.until("seen");
    assert_eq!(seen["changes"].as_array().unwrap().len(), 2, "{seen}");
    watching.end();
}

/// A subPath mount and a network file system tell nothing, and neither do the folders of the PATH.
#[test]
fn what_nobody_tells_of_is_found_when_it_is_time() {
    let config = r#"{"gateway":{"auth":{"token":"canary-old"}}}"#;
    let mut sandbox = Sandbox::with_config(config);
    for version in ["2026.3.8", "2026.9.6"] {
        let package = sandbox.path("home").join(version);
        fs::create_dir(&package).unwrap();
        fs::write(package.join("openclaw.mjs"), "").unwrap();
        let says = format!("{{\"name\":\"openclaw\",\"version\":\"{version}\"}}");
        fs::write(package.join("package.json"), says).unwrap();
    }
    let bin = sandbox.path("home/bin");
    fs::create_dir(&bin).unwrap();
    symlink("../2026.3.8/openclaw.mjs", bin.join("openclaw")).unwrap();
    sandbox.set("PATH", &bin.display().to_string());
    let mut watching = Watching::new(&sandbox, &["--policy", "helm", "--every", "1"]);
    let cli = |seen: &Value| {
        let all = seen["consumers"].as_array().unwrap();
        all.iter().find(|one| one["consumer"] == "cli").unwrap()["today"].clone()
    };
    assert_eq!(cli(&watching.until("seen")), "env.gateway-token");
    let count = records(&sandbox);
    watching.is_quiet();
    assert_eq!(records(&sandbox), count, "a look that finds nothing new is none to speak of");
    symlink("../2026.9.6/openclaw.mjs", bin.join("new")).unwrap();
    fs::rename(bin.join("new"), bin.join("openclaw")).unwrap();
    assert_eq!(cli(&watching.until("seen")), "config.auth-token");
    watching.end();
}

#[test]
fn a_manifest_or_a_policy_that_cannot_be_used_leaves_the_last_good_one() {
    let sandbox = Sandbox::stale_remote();
    let (manifest, policy) = (sandbox.path("home/precedent.toml"), sandbox.path("home/own.wasm"));
    fs::copy(fixture::environment_wins(), &policy).unwrap();
    let good = "deployment.preset = \"openclaw\"\npolicy.file = \"own.wasm\"\n\
                grants.write = [\"config.auth-token\", \"config.remote-token\"]\n";
    fs::write(&manifest, good).unwrap();
    let mut watching = Watching::new(&sandbox, &["--apply"]);
    watching.until("applied");
    watching.until("seen");
    let (component, stale) =
        (fs::read(&policy).unwrap(), r#"{"gateway":{"auth":{"token":"canary-x"}}}"#);
    let break_and_mend: [(&Path, &[u8], &[u8], &str); 2] = [
        (&manifest, b"[polcy]\n", good.as_bytes(), "precedent.toml"),
        (&policy, b"garbage", &component, "own.wasm"),
    ];
    // Whole in an instant, so that no look falls in between.
    let put = |path: &Path, bytes: &[u8]| {
        fs::write(sandbox.path("draft"), bytes).unwrap();
        fs::rename(sandbox.path("draft"), path).unwrap();
    };
    for (path, broken, whole, says) in break_and_mend {
        put(path, broken);
        let fault = watching.until("fault");
        assert!(fault["message"].as_str().unwrap().contains(says), "{fault}");
        // The last good one decides, and says nothing of the fault again.
        put(&sandbox.config(), stale.as_bytes());
        let applied = watching.next();
        assert_eq!(applied["event"], "applied", "{applied}");
        assert!(sandbox.config_text().contains(NEW));
        watching.next();
        put(path, whole);
        assert_eq!(watching.next()["event"], "recovered");
    }
    watching.end();
}

#[test]
fn audited_nothing_is_written() {
    let sandbox = mounted("canary-0", CONFIG);
    let audited =
        MOUNTED.replace("preset = \"openclaw\"", "preset = \"openclaw\", mode = \"audit\"");
    fs::write(sandbox.path("home/precedent.toml"), audited).unwrap();
    let mut watching = Watching::new(&sandbox, &["--apply"]);
    watching.until("seen");
    let before = identity(&sandbox.config());
    swap(&sandbox, 1, "canary-1");
    let seen = watching.until("seen");
    assert_eq!((&seen["drift"], identity(&sandbox.config())), (&true.into(), before), "{seen}");
    watching.end();
}

#[test]
fn who_writes_back_is_told_of_and_not_fought() {
    let sandbox = mounted("canary-0", CONFIG);
    let mut watching = Watching::new(&sandbox, &["--apply"]);
    watching.until("seen");
    for _ in 0..5 {
        fs::write(sandbox.config(), CONFIG.replace("canary-0", "canary-theirs")).unwrap();
        watching.until("applied");
        watching.until("seen");
    }
    fs::write(sandbox.config(), CONFIG.replace("canary-0", "canary-theirs")).unwrap();
    let fault = watching.until("fault");
    assert!(fault["message"].as_str().unwrap().contains("changed back again and again"), "{fault}");
    assert!(sandbox.config_text().contains("canary-theirs"));
    watching.end();
}

#[test]
fn people_read_what_differs() {
    let sandbox = mounted("canary-0", CONFIG);
    let mut command = sandbox.command();
    command.arg("watch");
    let mut watching = Watching::of(&sandbox, command);
    let line = |watching: &mut Watching<'_>| {
        let line = watching.lines.recv_timeout(super::LONG).unwrap();
        watching.said.push(line.clone());
        line
    };
    assert!(line(&mut watching).ends_with(" openclaw: in sync"));
    swap(&sandbox, 1, "canary-1");
    let mut told = Vec::new();
    while !told.iter().any(|line: &String| line.contains("to repair: precedent apply")) {
        told.push(line(&mut watching));
    }
    let told = told.join("\n");
    for words in [
        " openclaw: drift\n",
        " openclaw: gateway, gateway-token: uses gateway.auth.token #",
        "2 copies to change; to repair: precedent apply",
    ] {
        assert!(told.contains(words), "{words:?} in {told}");
    }
    watching.signal(Signal::INT);
    assert_eq!(watching.ended().code(), Some(0));
}
