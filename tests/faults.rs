//! What the machine does to a run: full disks, read-only mounts, rights that go, files that are
//! something else, calls that fail, other writers. Each ends with everything as it was or as it was
//! to be, and a message that names the place.

mod others;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::{NEW, OLD, Sandbox, tools};

/// Runs the program in mounts of its own, after a script that makes them. `$S` is the sandbox.
fn in_mounts(sandbox: &Sandbox, script: &str, args: &[&str]) -> Option<Output> {
    let unshare = tools::program("unshare")?;
    let script = format!("{script}\nexec \"$@\"");
    let unshare = unshare.to_str().unwrap();
    let words = [unshare, "--mount", "--map-root-user", "sh", "-c", &script, "sh"];
    let mut command = sandbox.command_under(&words);
    command.args(args).env("S", sandbox.path(""));
    let output = command.output().unwrap();
    sandbox.hear(&output);
    Some(output)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_full_disk_under_the_target_changes_nothing() {
    let sandbox = Sandbox::two_files();
    // Mounted, filled, and afterwards with room again.
    let script = "mount -t tmpfs -o size=64k none $HOME/.openclaw
        printf '{\"gateway\":{\"remote\":{\"token\":\"canary-old\"}}}' > $HOME/.openclaw/openclaw.json
        head -c 200000 /dev/zero > $HOME/.openclaw/filler 2>/dev/null
        \"$1\" apply 2> $S/said; echo $? > $S/code
        ls -A $HOME/.openclaw > $S/left; cp $HOME/.openclaw/openclaw.json $HOME/token $S
        rm $HOME/.openclaw/filler; set -- \"$1\" apply";
    let Some(output) = in_mounts(&sandbox, script, &[]) else { return };
    let read = |name: &str| fs::read_to_string(sandbox.path(name)).unwrap();
    assert_eq!(read("code"), "3\n", "{}", read("said"));
    assert!(
        read("said").contains("openclaw.json.lock: No space left on device"),
        "{}",
        read("said")
    );
    assert_eq!(read("left"), "filler\nopenclaw.json\n");
    assert!(read("openclaw.json").contains(OLD) && read("token").contains(OLD));
    assert_eq!(output.status.code(), Some(0), "with room again: {output:?}");
}

#[test]
fn a_full_disk_under_the_state_stops_what_could_not_be_mended() {
    let sandbox = Sandbox::two_files();
    let before = sandbox.home();
    let script = "mkdir -p $S/state; mount -t tmpfs -o size=64k none $S/state
        \"$1\" explain > /dev/null 2>&1; head -c 200000 /dev/zero > $S/state/filler 2>/dev/null";
    let Some(output) = in_mounts(&sandbox, script, &["apply"]) else { return };
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("nothing is written, for a run that is killed could not be mended"),
        "{said}"
    );
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(sandbox.home(), before);
    // One file is old or new without it, and a pod should start.
    let sandbox = Sandbox::stale_remote();
    let output = in_mounts(&sandbox, script, &["apply", "--policy", "helm"]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stderr(&output).contains("this run cannot be rolled back"), "{output:?}");
    assert!(sandbox.config_text().contains(NEW));
}

#[test]
fn a_full_disk_under_a_mounted_file_leaves_it_whole() {
    let sandbox = Sandbox::two_files();
    let script = "mount -t tmpfs -o size=16k none $HOME/.openclaw
        printf '{\"gateway\":{\"remote\":{\"token\":\"canary-old\"}}}' > $HOME/.openclaw/openclaw.json
        mkdir $S/other; mount -t tmpfs -o size=4k none $S/other; printf 'c' > $S/other/token
        rm $HOME/token; touch $HOME/token; mount --bind $S/other/token $HOME/token
        truncate -s 0 $S/other/token; head -c 100000 /dev/zero > $S/other/filler 2>/dev/null
        \"$1\" apply > $S/said 2>&1; echo $? > $S/code; cp $HOME/token $S; cp $HOME/.openclaw/openclaw.json $S
        set -- true";
    if in_mounts(&sandbox, script, &[]).is_none() {
        return;
    }
    let read = |name: &str| fs::read_to_string(sandbox.path(name)).unwrap();
    assert_eq!(read("code"), "3\n", "{}", read("said"));
    assert!(read("said").contains("token: No space left on device"), "{}", read("said"));
    assert_eq!(read("token"), "", "as it was");
    assert!(read("openclaw.json").contains(OLD), "the other one was put back");
}

#[test]
fn read_only_mounts_are_said_before_anything_is_tried() {
    let sandbox = Sandbox::two_files();
    let script =
        "mount --bind $HOME/.openclaw $HOME/.openclaw; mount -o remount,ro,bind $HOME/.openclaw";
    let Some(output) = in_mounts(&sandbox, script, &["apply"]) else { return };
    assert!(matches!(output.status.code(), Some(0 | 4)), "{output:?}");
    assert!(sandbox.config_text().contains(OLD));
    let token = || fs::read_to_string(sandbox.path("home/token")).unwrap();
    assert_eq!(token(), "canary-new\n", "what can be repaired is");
    // A file that is mounted to be read only.
    fs::write(sandbox.path("home/token"), "canary-old\n").unwrap();
    let script = "mount --bind $HOME/token $HOME/token; mount -o remount,ro,bind $HOME/token";
    let output = in_mounts(&sandbox, script, &["apply"]).unwrap();
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(token(), "canary-old\n");
    assert!(String::from_utf8_lossy(&output.stdout).contains("target-read-only"), "{output:?}");
    // The state.
    let sandbox = Sandbox::stale_remote();
    let script = "mkdir -p $S/state; mount -t tmpfs -o ro none $S/state";
    let output = in_mounts(&sandbox, script, &["apply", "--policy", "helm"]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stderr(&output).contains("no backup, and no lock against another run"), "{output:?}");
}

#[test]
fn a_file_that_is_a_mount_is_written_as_it_is() {
    let sandbox = Sandbox::two_files();
    let inode = fs::metadata(sandbox.path("home/token")).unwrap().ino();
    let script = "mount --bind $HOME/token $HOME/token";
    let Some(output) = in_mounts(&sandbox, script, &["apply"]) else { return };
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let token = sandbox.path("home/token");
    assert_eq!(fs::read_to_string(&token).unwrap(), "canary-new\n");
    let metadata = fs::metadata(&token).unwrap();
    assert_eq!((metadata.ino(), metadata.mode() & 0o777), (inode, 0o600));
    // And back.
    let output = in_mounts(&sandbox, script, &["rollback"]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(&token).unwrap(), "canary-old\n");
    // Without a folder for the backup it is not touched.
    let sandbox = Sandbox::two_files().env("PRECEDENT_STATE_DIR", "/proc/nowhere");
    let before = sandbox.home();
    let output = in_mounts(&sandbox, script, &["apply"]).unwrap();
    assert_eq!((output.status.code(), sandbox.home()), (Some(3), before), "{output:?}");
    assert!(stderr(&output).contains("set PRECEDENT_STATE_DIR"), "{output:?}");
}

/// As another user than root, who may read and write everything.
#[test]
fn rights_that_go_are_named() {
    if !rustix::process::geteuid().is_root() {
        return tools::skip("only root can become somebody else");
    }
    let Some(setpriv) = tools::program("setpriv") else { return };
    let mut sandbox = Sandbox::two_files();
    let everybody = |path: &Path| {
        Command::new("chown").args(["-R", "65534:65534"]).arg(path).status().unwrap();
    };
    // The program and every folder on the way to it may be root's alone.
    let program = sandbox.path("precedent");
    fs::copy(&sandbox.program, &program).unwrap();
    sandbox.program = program;
    everybody(&sandbox.path(""));
    let run = |args: &[&str]| {
        let setpriv = setpriv.to_str().unwrap();
        let nobody = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"];
        let output = sandbox.command_under(&nobody).args(args).output().unwrap();
        sandbox.hear(&output);
        output
    };
    assert_eq!(run(&["plan"]).status.code(), Some(0), "{:?}", run(&["plan"]));
    let mode = |name: &str, mode: u32| {
        fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let text = |name: &str| fs::read_to_string(sandbox.path(name)).unwrap();
    let renew = || fs::write(sandbox.path("home/token"), "canary-old\n").unwrap();
    let (config, token) = ("home/.openclaw/openclaw.json", "home/token");
    // The folder may not be written: another file can take no place in it.
    mode("home/.openclaw", 0o500);
    let output = run(&["apply"]);
    assert!(matches!(output.status.code(), Some(0 | 4)), "{output:?}");
    assert!(text(config).contains(OLD) && text(token).contains(NEW), "one of two");
    renew();
    mode("home/.openclaw", 0o700);
    // The file may not be read.
    mode(token, 0o000);
    let output = run(&["apply"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("permission denied"), "{output:?}");
    assert!(text(token).contains(OLD));
    // What is somebody else's cannot be given back to them; so neither of two is written.
    fs::write(sandbox.path(config), r#"{"gateway":{"remote":{"token":"canary-old"}}}"#).unwrap();
    std::os::unix::fs::chown(sandbox.path(token), Some(1234), Some(1234)).unwrap();
    mode(token, 0o666);
    let output = run(&["apply"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr(&output).contains("its owner cannot be kept"), "{output:?}");
    assert!(!text(config).contains(NEW) && text(token).contains(OLD));
    std::os::unix::fs::chown(sandbox.path(token), Some(65534), Some(65534)).unwrap();
    let output = run(&["apply"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(config).contains(NEW) && text(token).contains(NEW));
}

/// Something else than a file, wherever a file is looked for: nothing hangs, nothing is written over.
#[test]
fn what_is_no_file_is_neither_waited_for_nor_written() {
    let places = [
        "home/.openclaw/openclaw.json",
        "home/.openclaw/.env",
        "home/token",
        "home/.config/systemd/user/openclaw-gateway.service",
        "home/precedent.toml",
        "state/key",
        "state/journal-openclaw.jsonl",
        "state/runs-openclaw",
        "state/runs-openclaw/lock",
        "state/runs-openclaw/000001",
        "cache/compiled",
    ];
    type Make = fn(&Path);
    let kinds: [(&str, Make); 4] = [
        ("fifo", |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("folder", |path| fs::create_dir(path).unwrap()),
        ("device", |path| symlink("/dev/zero", path).unwrap()),
        ("loop", |path| symlink(path, path).unwrap()),
    ];
    let template = Sandbox::two_files();
    template.run(&["explain"]);
    for place in places {
        for (kind, make) in kinds {
            let sandbox = Sandbox::two_files();
            copy(&template.path("state"), &sandbox.path(""));
            copy(&template.path("cache"), &sandbox.path(""));
            let path = sandbox.path(place);
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            make(&path);
            let before = sandbox.home();
            let began = Instant::now();
            let output =
                output_within(&sandbox, &["apply", "--wait", "0"], Duration::from_secs(20));
            let at = format!("{kind} at {place} after {:?}", began.elapsed());
            let code = output.status.code();
            assert!(matches!(code, Some(0..=4)), "{at}: {output:?}");
            assert!(!stderr(&output).contains("panicked"), "{at}: {output:?}");
            let after = sandbox.home();
            for name in ["home/.openclaw/openclaw.json", "home/token"] {
                let name = sandbox.path(name);
                let text = |files: &std::collections::BTreeMap<_, (Vec<u8>, u32)>| {
                    files.get(&name).map(|(bytes, _)| String::from_utf8_lossy(bytes).into_owned())
                };
                let (old, new) = (text(&before), text(&after));
                let is_written = new.as_ref().is_some_and(|text| text.contains(NEW));
                assert!(
                    new == old || matches!(code, Some(0 | 4)) && is_written,
                    "{at}: {output:?}"
                );
            }
            assert!(path.symlink_metadata().is_ok_and(|now| !now.is_file()), "{at}: it is gone");
        }
    }
}

fn copy(from: &Path, into: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(into).status().unwrap().success());
}

/// Ends the program, and fails, where it does not end by itself.
fn output_within(sandbox: &Sandbox, args: &[&str], time: Duration) -> Output {
    let mut child =
        sandbox.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + time;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("it hangs: {:?}", child.wait_with_output());
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    sandbox.hear(&output);
    output
}

#[test]
fn a_huge_file_is_not_read() {
    for name in [".openclaw/openclaw.json", "token"] {
        let sandbox = Sandbox::two_files();
        let path = sandbox.path("home").join(name);
        // With nothing in it, so that only its length is huge.
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let output = output_within(&sandbox, &["apply"], Duration::from_secs(20));
        assert_ne!(output.status.code(), Some(0), "{output:?}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("larger than 16 MiB"),
            "{output:?}"
        );
        assert_eq!(fs::metadata(&path).unwrap().len(), 1 << 40);
    }
}

#[test]
fn folders_that_are_missing_are_made_or_missed() {
    let mut sandbox = Sandbox::stale_remote();
    let deep = sandbox.path("a/b/c").display().to_string();
    sandbox.set("PRECEDENT_STATE_DIR", &deep);
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    for folder in ["a/b/c", "a/b/c/runs-openclaw", "a/b/c/runs-openclaw/000001"] {
        let mode = fs::metadata(sandbox.path(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
    let sandbox = Sandbox::stale_remote();
    fs::remove_dir_all(sandbox.path("home/.openclaw")).unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(!sandbox.path("home/.openclaw").exists(), "nothing is made where nothing is");
}
