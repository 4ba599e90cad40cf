//! Compiled policies that are not ours: never run, compiled anew, and reported.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Run, Sandbox, tools};

/// A sandbox in which the policy was compiled, and where it is kept.
fn compiled() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::stale_remote();
    let run = sandbox.run(&["explain"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let kept = kept(&sandbox).expect("it is kept");
    (sandbox, kept)
}

fn kept(sandbox: &Sandbox) -> Option<PathBuf> {
    let folder = fs::read_dir(sandbox.path("cache/compiled")).ok()?;
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() < 2, "{files:?}");
    files.pop()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The answer is right, the report is on standard error and nowhere else, and with it says why.
fn is_reported(sandbox: &Sandbox, kept: &Path, why: &str) -> Run {
    let run = sandbox.run(&["explain", "--format", "json"]);
    assert_eq!(run.code, Some(0), "{why}: {run:?}");
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(answer["consumers"].is_array(), "{answer}");
    let warning = format!("the compiled policy {} is not run: {why}", kept.display());
    assert!(run.stderr.contains(&warning), "`{}` does not say `{warning}`", run.stderr);
    run
}

fn is_quiet(sandbox: &Sandbox) {
    let run = sandbox.run(&["explain"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_compiled_policy_that_was_tampered_with_is_not_run() {
    let (sandbox, kept) = compiled();
    let good = fs::read(&kept).unwrap();
    let flipped = |index: usize| {
        let mut bad = good.clone();
        bad[index] ^= 1;
        bad
    };
    let bad = [
        flipped(0),
        flipped(40),
        flipped(good.len() / 2),
        flipped(good.len() - 1),
        good[..100].to_vec(),
        good[..10].to_vec(),
        vec![],
        [good.as_slice(), b"more"].concat(),
    ];
    for bad in bad {
        fs::write(&kept, &bad).unwrap();
        is_reported(
            &sandbox,
            &kept,
            "it was changed, or another installation wrote it; it was compiled anew",
        );
        assert_eq!(fs::read(&kept).unwrap(), good, "it was compiled again");
        is_quiet(&sandbox);
    }
}

#[test]
fn a_compiled_policy_of_another_installation_is_not_run() {
    let (sandbox, kept) = compiled();
    let (_other, foreign) = compiled();
    assert_eq!(kept.file_name(), foreign.file_name(), "the same policy, the same machine");
    assert_ne!(fs::read(&kept).unwrap(), fs::read(&foreign).unwrap());
    fs::copy(&foreign, &kept).unwrap();
    is_reported(&sandbox, &kept, "it was changed, or another installation wrote it");
    is_quiet(&sandbox);
}

/// A policy's code under another policy's name was written by us, and is still not run.
#[test]
fn a_compiled_policy_under_anothers_name_is_not_run() {
    let (sandbox, helm) = compiled();
    let code = fs::read(&helm).unwrap();
    fs::remove_file(&helm).unwrap();
    assert_eq!(sandbox.run(&["explain", "--policy", "binary"]).code, Some(0));
    let binary = kept(&sandbox).unwrap();
    assert_ne!(binary, helm);
    fs::write(&binary, code).unwrap();
    let run = sandbox.run(&["explain", "--policy", "binary"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("is not run: it was changed"), "{}", run.stderr);
    assert!(run.stdout.contains("under policy binary"), "{}", run.stdout);
}

#[test]
fn what_is_no_file_where_one_is_kept_is_not_waited_for() {
    let (sandbox, kept) = compiled();
    let replace = |make: &dyn Fn()| {
        fs::remove_file(&kept).unwrap();
        make();
    };
    replace(&|| assert!(Command::new("mkfifo").arg(&kept).status().unwrap().success()));
    is_reported(&sandbox, &kept, "it is no regular file; it was compiled anew");
    is_quiet(&sandbox);

    replace(&|| symlink("/dev/zero", &kept).unwrap());
    is_reported(&sandbox, &kept, "it is a link; it was compiled anew");
    is_quiet(&sandbox);

    // A terabyte that takes no room.
    replace(&|| fs::File::create(&kept).unwrap().set_len(1 << 40).unwrap());
    is_reported(&sandbox, &kept, "it has 1099511627776 bytes, a policy of this size has ");
    is_quiet(&sandbox);

    // A folder cannot be replaced, so it is reported until somebody removes it.
    replace(&|| fs::create_dir(&kept).unwrap());
    for _ in 0..2 {
        let run = is_reported(
            &sandbox,
            &kept,
            "it is no regular file; it was compiled anew, and cannot be kept: ",
        );
        assert!(run.stderr.contains(&format!("; remove {}", kept.display())), "{}", run.stderr);
    }
    fs::remove_dir(&kept).unwrap();
    is_quiet(&sandbox);
}

#[test]
fn a_compiled_policy_of_another_user_is_not_run() {
    let (sandbox, kept) = compiled();
    if chown(&kept, Some(65534), None).is_err() {
        return tools::skip("only root can give a file to another user");
    }
    is_reported(&sandbox, &kept, "it belongs to another user");
    assert_ne!(fs::metadata(&kept).unwrap().uid(), 65534);
    is_quiet(&sandbox);
}

#[test]
fn only_this_user_may_look_into_the_cache() {
    let (sandbox, kept) = compiled();
    assert_eq!(mode(&kept), 0o600);
    assert_eq!(mode(&sandbox.path("cache/compiled")), 0o700);
    assert_eq!(mode(&sandbox.path("cache")), 0o700);
    assert_eq!(mode(&sandbox.path("state/key")), 0o600);
}

/// Who can read the key can make code that passes for ours.
#[test]
fn a_key_that_others_have_access_to_vouches_for_nothing() {
    for shared in [0o640, 0o604, 0o620, 0o777] {
        let (sandbox, kept) = compiled();
        let key = sandbox.path("state/key");
        fs::set_permissions(&key, fs::Permissions::from_mode(shared)).unwrap();
        // It would be run if it were looked at, and be replaced if it were not ours.
        fs::write(&kept, "not ours").unwrap();
        let run = sandbox.run(&["explain"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        let remedy = format!(
            "others have access to the key {0} (mode {shared:04o}); run `chmod 600 {0}`",
            key.display()
        );
        assert!(run.stderr.contains(&remedy), "{}", run.stderr);
        assert_eq!(fs::read(&kept).unwrap(), b"not ours", "it is left alone");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        is_reported(&sandbox, &kept, "it was changed");
        is_quiet(&sandbox);
    }
}

/// Without a key that is kept nothing could tell whose code it is tomorrow.
#[test]
fn without_a_kept_key_no_code_is_kept() {
    let mut sandbox = Sandbox::stale_remote();
    fs::write(sandbox.path("no-folder"), "").unwrap();
    let path = sandbox.path("no-folder/state").display().to_string();
    sandbox.set("PRECEDENT_STATE_DIR", &path);
    for _ in 0..2 {
        let run = sandbox.run(&["explain"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stderr.contains("fingerprints are for this run only"), "{}", run.stderr);
        assert!(!run.stderr.contains("is not run"), "{}", run.stderr);
    }
    assert_eq!(kept(&sandbox), None);
}

/// What is kept has a bound: what was not used for longest goes when something new is compiled.
#[test]
fn what_is_kept_has_a_bound() {
    let (sandbox, kept) = compiled();
    let folder = kept.parent().unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 24 * 3600);
    for number in 0..70 {
        let path = folder.join(format!("{number:02}-of-another-release.cwasm"));
        fs::write(&path, "code").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    }
    let count = || fs::read_dir(folder).unwrap().count();
    is_quiet(&sandbox);
    assert_eq!(count(), 71, "where nothing is compiled, nothing is looked through");
    fs::File::options().write(true).open(&kept).unwrap().set_modified(old).unwrap();
    is_quiet(&sandbox);
    let used = fs::metadata(&kept).unwrap().modified().unwrap();
    assert!(used.elapsed().unwrap().as_secs() < 3600, "what is used is marked so");
    assert_eq!(sandbox.run(&["explain", "--policy", "binary"]).code, Some(0));
    assert_eq!(count(), 64);
    assert!(kept.exists(), "what was used of late stays");
}
