//! deploy/systemd, deploy/launchd and deploy/fleet: each file by its own tool, and run in a gateway's place.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::{Sandbox, TOKEN, root, tools};

/// A home with the files of deploy/systemd where a user puts them, and a gateway's unit.
fn installed() -> Sandbox {
    let sandbox = Sandbox::new().policy("binary");
    let units = sandbox.path("home/.config/systemd/user");
    let drop_ins = units.join("openclaw-gateway.service.d");
    fs::create_dir_all(&drop_ins).unwrap();
    let from = root().join("deploy/systemd");
    for name in ["precedent-check.service", "precedent-check.timer", "precedent-watch.service"] {
        fs::copy(from.join(name), units.join(name)).unwrap();
    }
    let agent = "precedent-agent.service";
    fs::copy(root().join("deploy/fleet").join(agent), units.join(agent)).unwrap();
    let drop_in = "openclaw-gateway.service.d/10-precedent.conf";
    fs::copy(from.join(drop_in), units.join(drop_in)).unwrap();
    let unit =
        fs::read_to_string(root().join("tests/corpus/units/openclaw-gateway-2026.2.26.service"))
            .unwrap()
            .replace("/opt/openclaw/node_modules/node/bin/node", "/bin/true");
    fs::write(units.join("openclaw-gateway.service"), unit).unwrap();
    let bin = sandbox.path("home/.local/bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(&sandbox.program, bin.join("precedent")).unwrap();
    fs::write(sandbox.config(), r#"{"gateway":{"auth":{"token":"canary-rotated"}}}"#).unwrap();
    sandbox
}

#[test]
fn systemd_is_content_with_every_unit() {
    let Some(analyze) = tools::program("systemd-analyze") else { return };
    let sandbox = installed();
    fs::create_dir_all(sandbox.path("run")).unwrap();
    let units = sandbox.path("home/.config/systemd/user");
    // The other way to start it, as a comment says it.
    let drop_ins = units.join("openclaw-gateway.service.d");
    let text = fs::read_to_string(drop_ins.join("10-precedent.conf")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("#   ExecStart="));
    let lines: Vec<String> =
        lines.map(|line| format!("ExecStart={}", line.replace("COMMAND", "/bin/true"))).collect();
    assert_eq!(lines.len(), 2, "{text}");
    let lines = lines.join("\n");
    fs::write(drop_ins.join("20-exec.conf"), format!("[Service]\n{lines}\n")).unwrap();
    for unit in [
        "openclaw-gateway.service",
        "precedent-agent.service",
        "precedent-check.service",
        "precedent-check.timer",
        "precedent-watch.service",
    ] {
        // `%h` is the home of whoever runs the tool.
        let output = Command::new(&analyze)
            .args(["verify", "--user", "--man=no"])
            .arg(units.join(unit))
            .env("HOME", sandbox.path("home"))
            .env("XDG_RUNTIME_DIR", sandbox.path("run"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{unit}: {said}");
    }
    let timer = fs::read_to_string(units.join("precedent-check.timer")).unwrap();
    let calendar = timer.lines().find_map(|line| line.strip_prefix("OnCalendar=")).unwrap();
    let output =
        Command::new(&analyze).args(["calendar", "--iterations=5", calendar]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let hours: Vec<&str> = ["00:00:00", "06:00:00", "12:00:00", "18:00:00"]
        .into_iter()
        .filter(|h| said.contains(h))
        .collect();
    assert_eq!(hours.len(), 4, "{said}");
}

/// The line before a start, as systemd runs it: specifiers and `$$` resolved.
fn exec_start_pre(sandbox: &Sandbox) -> Output {
    let path = "openclaw-gateway.service.d/10-precedent.conf";
    let text = fs::read_to_string(sandbox.path("home/.config/systemd/user").join(path)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStartPre=")).unwrap();
    let script = line.strip_prefix("/bin/sh -c '").unwrap().strip_suffix('\'').unwrap();
    let home = sandbox.path("home").display().to_string();
    let script = script.replace("$$", "$").replace("%h", &home);
    let mut command = sandbox.command();
    // What the unit says, as systemd gives it to every step of the service.
    command.env("OPENCLAW_SERVICE_KIND", "gateway").env(TOKEN, "canary-embedded");
    let shell = Path::new("/bin/sh");
    let mut shell = Command::new(shell);
    shell
        .args(["-c", &script])
        .env_clear()
        .envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    shell.current_dir(sandbox.path("home")).output().unwrap()
}

#[test]
fn the_step_before_a_start_brings_the_copies_into_step() {
    let sandbox = installed();
    let unit = sandbox.path("home/.config/systemd/user/openclaw-gateway.service");
    let output = exec_start_pre(&sandbox);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!fs::read_to_string(&unit).unwrap().contains("OPENCLAW_GATEWAY_TOKEN"));
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
    // Copies that still disagree keep the gateway from starting; a fault of ours does not.
    fs::write(sandbox.config(), "{ \"gateway\": ").unwrap();
    assert_eq!(exec_start_pre(&sandbox).status.code(), Some(4));
    fs::write(sandbox.path("home/precedent.toml"), "[polcy]\n").unwrap();
    assert_eq!(exec_start_pre(&sandbox).status.code(), Some(0));
}

#[test]
fn launchd_files_are_what_launchd_reads() {
    let path = root().join("deploy/launchd/ai.precedent.check.plist");
    let list = plist::Value::from_file(&path).unwrap();
    let list = list.as_dictionary().unwrap();
    assert_eq!(list.get("StartInterval").unwrap().as_signed_integer(), Some(6 * 60 * 60));
    let arguments = list.get("ProgramArguments").unwrap().as_array().unwrap();
    let arguments: Vec<&str> = arguments.iter().map(|one| one.as_string().unwrap()).collect();
    let label = list.get("Label").unwrap().as_string().unwrap();
    assert!(path.ends_with(format!("{label}.plist")), "launchd wants the label as the name");

    // The words are a call of ours, and the step in front of the gateway starts it.
    let sandbox = installed();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(sandbox.run(&arguments[1..]).code, Some(0), "{arguments:?}");
    let step = root().join("deploy/launchd/openclaw-gateway-with-precedent");
    assert!(fs::metadata(&step).unwrap().permissions().mode() & 0o111 != 0);
    let mut command = Command::new(&step);
    let own = sandbox.command();
    command
        .args(["/bin/echo", "the gateway"])
        .env_clear()
        .envs(own.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .env("PRECEDENT", &sandbox.program);
    let output = command.output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("the gateway\n"), "{output:?}");
    fs::write(sandbox.config(), "{ \"gateway\": ").unwrap();
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("the gateway\n"));
}

/// The line of cron and the one of Railway look, and say nothing where all is well.
#[test]
fn cron_and_railway_run_what_looks() {
    let cron = fs::read_to_string(root().join("deploy/cron/precedent")).unwrap();
    let line = cron.lines().find(|line| line.starts_with(|c: char| c.is_ascii_digit())).unwrap();
    let fields: Vec<&str> = line.split('\t').collect();
    let [schedule, "root", command] = fields.as_slice() else { panic!("{line}") };
    let railway = fs::read_to_string(root().join("deploy/railway/railway.json")).unwrap();
    let railway: serde_json::Value = serde_json::from_str(&railway).unwrap();
    assert_eq!(railway["deploy"]["cronSchedule"].as_str(), Some(*schedule));
    let same = railway["deploy"]["startCommand"].as_str().unwrap();
    assert_eq!(command.strip_prefix("timeout 300 "), Some(same));
    let sandbox = Sandbox::with_config(r#"{"gateway":{"auth":{"token":"canary-new"}}}"#);
    let manifest = sandbox.path("home/precedent.toml");
    fs::write(&manifest, "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\n").unwrap();
    let words = same.replace("/etc/precedent/precedent.toml", &manifest.display().to_string());
    let words: Vec<&str> = words.split(' ').skip(1).collect();
    let run = sandbox.run(&words);
    assert!(run.code == Some(4) && !run.stdout.is_empty(), "{run:?}");
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let run = sandbox.run(&words);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
}

fn fleet(file: &str) -> PathBuf {
    root().join("deploy/fleet").join(file)
}

/// The example is a manifest, and the unit of the agent reads the file that it says it is.
#[test]
fn the_fleets_example_is_a_manifest() {
    let sandbox = Sandbox::with_config(r#"{"gateway":{"auth":{"token":"canary-new"}}}"#);
    let text = fs::read_to_string(fleet("precedent.toml")).unwrap();
    fs::write(sandbox.path("home/precedent.toml"), &text).unwrap();
    let run = sandbox.run(&["explain"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let unit = fs::read_to_string(fleet("precedent-agent.service")).unwrap();
    let path = text.lines().next().and_then(|line| line.strip_prefix("# ~/")).unwrap();
    let path = path.split(':').next().unwrap();
    assert!(unit.contains(&format!("agent --manifest %h/{path}\n")), "{unit}");
}

/// Each is made for its user alone, vouched for by the authority, and never written over.
#[test]
fn certificates_are_made_once() {
    let (Some(_), Some(openssl)) = (tools::program("bash"), tools::program("openssl")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let tls = folder.path().join("tls");
    let make = |words: &[&str]| {
        Command::new(fleet("certificates")).arg(&tls).args(words).output().unwrap()
    };
    let made = |words: &[&str]| {
        let output = make(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
    };
    // Before there is an authority nothing is left behind.
    assert_eq!(make(&["node", "node-1"]).status.code(), Some(1));
    assert_eq!(fs::read_dir(&tls).unwrap().count(), 0);
    made(&["ca"]);
    made(&["server", "store-1", "127.0.0.1", "::1", "store-1.example"]);
    made(&["node", "root", "node-1"]);
    let files = |folder: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files(&tls);
    assert_eq!(before.len(), 8, "a certificate and a key for each");
    for (path, _) in &before {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    for (name, purpose, subject) in [
        ("store-1", "sslserver", "etcd on store-1"),
        ("store-1", "sslclient", "etcd on store-1"),
        ("node-1", "sslclient", "node-1"),
        ("root", "sslclient", "root"),
    ] {
        let certificate = tls.join(format!("{name}.pem"));
        let mut verify = Command::new(&openssl);
        verify.args(["verify", "-x509_strict", "-purpose", purpose, "-CAfile"]);
        let output = verify.arg(tls.join("ca.pem")).arg(&certificate).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        let mut subjects = Command::new(&openssl);
        subjects.args(["x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in"]);
        let output = subjects.arg(&certificate).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.trim(), format!("subject=CN={subject}"));
    }
    for words in [
        &["ca"] as &[_],
        &["server", "store-1"],
        &["node", "node-1"],
        &["node", "a/b"],
        &["node", "../up"],
        &["node", "two words"],
    ] {
        assert_eq!(make(words).status.code(), Some(1), "{words:?}");
        assert_eq!(files(&tls), before, "{words:?}");
    }
    assert_eq!(make(&[]).status.code(), Some(2));
}

/// What nodes may do in the store is said for every key that there is, by the table of those.
#[test]
fn the_roles_of_etcd_know_every_key() {
    let script = fs::read_to_string(fleet("etcd-roles")).unwrap();
    let code = fs::read_to_string(root().join("host/src/fleet/space.rs")).unwrap();
    let keys = code.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
    let keys: Vec<&str> = keys.filter_map(|key| key.split('/').next()).collect();
    assert!(keys.len() >= 10, "{keys:?}");
    for key in keys {
        let whole = |from: &str| script.contains(&format!("{from} {key}"));
        let own = script.contains(&format!("readwrite \"{key}/$node"));
        assert!(own || whole("read") || whole("readwrite"), "{key}");
    }
    let Some(bash) = tools::program("bash") else { return };
    for name in ["etcd-roles", "certificates"] {
        let output = Command::new(&bash).arg("-n").arg(fleet(name)).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        let mode = fs::metadata(fleet(name)).unwrap().permissions().mode();
        assert!(mode & 0o111 != 0, "{name}");
        // Called without what it needs, it says how it is called.
        let output = Command::new(fleet(name)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(name), "{output:?}");
    }
}
