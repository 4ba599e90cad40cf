//! What others put where runs are kept.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use super::token;
use crate::support::{OLD, Sandbox, tools};

/// A folder that somebody else filled is not what this user's runs kept; nor is a manifest theirs.
#[test]
fn what_another_user_put_there_is_not_followed() {
    if !rustix::process::geteuid().is_root() {
        return tools::skip("only root can give files away");
    }
    let give = |path: std::path::PathBuf| {
        let status = Command::new("chown").args(["-R", "1234:1234"]).arg(path).status();
        assert!(status.unwrap().success());
    };
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    // An intent that would have the old token put back.
    let folder = sandbox.path("state/runs-openclaw/000001");
    fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
    fs::remove_file(sandbox.config()).unwrap();
    give(sandbox.path("state"));
    let run = sandbox.run(&["apply"]);
    assert_eq!(token(&sandbox), "canary-new\n", "{run:?}");
    assert!(run.stderr.contains("it belongs to another user (1234, this is 0)"), "{}", run.stderr);
    assert!(folder.join("intent.json").exists());
    let run = sandbox.run(&["rollback", "1"]);
    assert_eq!((run.code, token(&sandbox).as_str()), (Some(2), "canary-new\n"), "{run:?}");
    // One that everybody may write to, as a pod's: what somebody else put in it is not ours.
    for theirs in ["key", "runs-openclaw"] {
        let sandbox = Sandbox::two_files();
        assert_eq!(sandbox.run(&["apply"]).code, Some(0));
        let folder = sandbox.path("state/runs-openclaw/000001");
        fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
        fs::remove_file(sandbox.config()).unwrap();
        fs::set_permissions(sandbox.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
        give(sandbox.path("state").join(theirs));
        let run = sandbox.run(&["apply"]);
        assert_eq!(token(&sandbox), "canary-new\n", "{theirs}: {run:?}");
        assert!(run.stderr.contains("another user (1234, this is 0)"), "{theirs}: {}", run.stderr);
        assert!(folder.join("intent.json").exists(), "{theirs}");
    }
    let sandbox = Sandbox::stale_remote();
    fs::create_dir(sandbox.path("state")).unwrap();
    fs::set_permissions(sandbox.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    // A manifest that lies where one works.
    let sandbox = Sandbox::two_files();
    let manifest = sandbox.path("home/precedent.toml");
    give(manifest.clone());
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(2), before), "{run:?}");
    assert!(
        run.stderr.contains("if it is meant, name it: --manifest precedent.toml"),
        "{}",
        run.stderr
    );
    let named = sandbox.run(&["plan", "--manifest", "precedent.toml"]);
    assert_eq!(named.code, Some(0), "{named:?}");
}

fn link_to_a_folder_of_others(sandbox: &Sandbox) -> std::path::PathBuf {
    let theirs = sandbox.path("releases");
    for name in ["20261119", "20261120"] {
        fs::create_dir_all(theirs.join(name)).unwrap();
        fs::write(theirs.join(name).join("precious"), "x").unwrap();
    }
    fs::create_dir_all(sandbox.path("state")).unwrap();
    std::os::unix::fs::symlink(&theirs, sandbox.path("state/runs-openclaw")).unwrap();
    theirs
}

/// Links where a run keeps its own: nothing at their other end is touched.
#[test]
fn what_is_kept_is_no_link() {
    let sandbox = Sandbox::stale_remote();
    let theirs = link_to_a_folder_of_others(&sandbox);
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("no backup, and no lock"), "{}", run.stderr);
    assert!(theirs.join("20261119/precious").exists() && theirs.join("20261120/precious").exists());
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 2, "nothing is put there either");
    for name in ["runs-openclaw/lock", "journal-openclaw.jsonl", "key"] {
        let sandbox = Sandbox::stale_remote();
        let precious = sandbox.path("precious");
        fs::write(&precious, "0123456789abcdef0123456789abcdef").unwrap();
        let link = sandbox.path("state").join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        let run = sandbox.run(&["apply"]);
        assert_eq!(run.code, Some(0), "{name}: {run:?}");
        assert!(run.stderr.contains("warning: "), "{name}: {}", run.stderr);
        assert_eq!(fs::read_to_string(&precious).unwrap().len(), 32, "{name}");
    }
    // What lies among the runs and is none of them stays.
    let sandbox = Sandbox::stale_remote();
    let other = sandbox.path("state/runs-openclaw/20261119");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("precious"), "x").unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(other.join("precious").exists());
}

/// An intent that this installation's key did not sign moves nothing.
#[test]
fn an_intent_of_anybody_else_is_not_followed() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw/000001");
    let precious = sandbox.path("home/precious");
    fs::write(&precious, "x").unwrap();
    let file = fs::File::open(&precious).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let text = fs::read_to_string(folder.join("done.json")).unwrap();
    let planted = text.replace("openclaw.json.lock", "../precious");
    assert_ne!(text, planted);
    fs::remove_file(folder.join("done.json")).unwrap();
    fs::write(folder.join("intent.json"), planted).unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(3), before), "{run:?}");
    assert!(run.stderr.contains("written with another key, or by hand"), "{}", run.stderr);
    // The same where the key is a new one: what was kept stays, and so do the files.
    fs::write(folder.join("intent.json"), text).unwrap();
    fs::remove_file(sandbox.path("state/key")).unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(3), before), "{run:?}");
    assert!(folder.join("0.old").exists() && folder.join("intent.json").exists());
    // A failure to begin is recorded too.
    let journal = fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl")).unwrap();
    assert!(journal.lines().last().unwrap().contains("cannot be mended"), "{journal}");
}

/// Two installations of one name: what is taken back is one's own.
#[test]
fn the_last_run_of_another_installation_is_named_to_be_meant() {
    let mut sandbox = Sandbox::stale_remote();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let after = sandbox.config_text();
    let other = sandbox.path("other");
    fs::create_dir_all(other.join(".openclaw")).unwrap();
    sandbox.set("HOME", &other.display().to_string());
    let run = sandbox.run(&["rollback"]);
    assert_eq!((run.code, sandbox.config_text()), (Some(2), after), "{run:?}");
    assert!(run.stderr.contains("files that this deployment does not have"), "{}", run.stderr);
    assert_eq!(sandbox.run(&["rollback", "1"]).code, Some(0));
    assert!(sandbox.config_text().contains(OLD));
}
