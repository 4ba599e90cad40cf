//! Units, property lists, `.env` files, included files and commands of every shape: what is read, what an
//! edit keeps, and what is left alone.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{Sandbox, TOKEN};

/// A daemon's home: a configuration with a token, and files beside it.
fn daemon(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new().policy("binary");
    fs::write(sandbox.config(), r#"{"gateway":{"auth":{"token":"canary-new"}}}"#).unwrap();
    for (name, content) in files {
        let path = sandbox.path("home").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    sandbox
}

const UNIT: &str = ".config/systemd/user/openclaw-gateway.service";

fn unit_after(unit: &str) -> (crate::support::Run, String) {
    let sandbox = daemon(&[(UNIT, unit)]);
    let run = sandbox.run(&["apply"]);
    let text = fs::read_to_string(sandbox.path("home").join(UNIT)).unwrap();
    (run, text)
}

#[test]
fn units_of_every_shape_lose_the_token_and_nothing_else() {
    let cases = [
        // continuation lines with a comment between them
        (
            "[Service]\nEnvironment=A=1 \\\n# kept\n  OPENCLAW_GATEWAY_TOKEN=canary-old \\\n  B=2\n",
            "[Service]\nEnvironment=A=1 \\\n# kept\n  B=2\n",
        ),
        // quotes, and a value with spaces
        (
            "[Service]\nEnvironment=\"OPENCLAW_GATEWAY_TOKEN=canary-old x\" 'B=2 3'\n",
            "[Service]\nEnvironment='B=2 3'\n",
        ),
        // the same key again and again
        (
            "[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-old\nB=1\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-older\n",
            "[Service]\nB=1\n",
        ),
        // a list that is reset: the copy counts no longer, and still everybody can read it
        (
            "[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-old\nEnvironment=\nEnvironment=B=2\n",
            "[Service]\nEnvironment=\nEnvironment=B=2\n",
        ),
        // the line ends of another system, and no end at all
        ("[Service]\r\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-old\r\nB=1", "[Service]\r\nB=1"),
    ];
    for (before, after) in cases {
        let (run, text) = unit_after(before);
        assert_eq!((run.code, text.as_str()), (Some(0), after), "{before:?}: {run:?}");
    }
}

#[test]
fn what_is_no_unit_or_no_list_is_left_as_it_is() {
    let plist = "Library/LaunchAgents/ai.openclaw.gateway.plist";
    let whole = "<?xml version=\"1.0\"?>\n<plist version=\"1.0\"><dict><key>EnvironmentVariables</key><dict><key>OPENCLAW_GATEWAY_TOKEN</key><string>canary-old</string></dict></dict></plist>\n";
    let truncated = &whole[..whole.len() - 20];
    let cases = [
        (UNIT, "OPENCLAW_GATEWAY_TOKEN=canary-old\n", "openclaw-gateway.service:1:1: no section"),
        (
            UNIT,
            "[Service\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-old\n",
            ":1:1: a section that does not end",
        ),
        (
            UNIT,
            "[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary%Z\n",
            "a specifier (%) that is not known here",
        ),
        (plist, truncated, "ai.openclaw.gateway.plist"),
        (plist, "", "the file is empty"),
        (plist, "{ EnvironmentVariables = { A = canary-old; }; }", "the old text form"),
        (plist, "bplist00canary-old", "ai.openclaw.gateway.plist"),
    ];
    for (name, content, says) in cases {
        let sandbox = daemon(&[(name, content)]);
        let before = sandbox.home();
        let run = sandbox.run(&["apply"]);
        assert_eq!(sandbox.home(), before, "{content:?}");
        assert_eq!(run.code, Some(4), "{content:?}: {run:?}");
        assert!(run.stdout.contains(says), "{says:?} in {}", run.stdout);
    }
}

#[test]
fn a_binary_list_is_read_and_written_as_one() {
    let mut variables = plist::Dictionary::new();
    variables.insert("OPENCLAW_GATEWAY_TOKEN".to_owned(), "canary-old".into());
    variables.insert("HOME".to_owned(), "/home/claw".into());
    let mut list = plist::Dictionary::new();
    list.insert("Label".to_owned(), "ai.openclaw.gateway".into());
    list.insert("EnvironmentVariables".to_owned(), variables.into());
    let sandbox = daemon(&[("Library/LaunchAgents/x", "")]);
    let path = sandbox.path("home/Library/LaunchAgents/ai.openclaw.gateway.plist");
    plist::Value::Dictionary(list).to_file_binary(&path).unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(fs::read(&path).unwrap().starts_with(b"bplist00"));
    let list = plist::Value::from_file(&path).unwrap();
    let variables = list.as_dictionary().unwrap().get("EnvironmentVariables").unwrap();
    let names: Vec<&String> = variables.as_dictionary().unwrap().keys().collect();
    assert_eq!(names, ["HOME"]);
}

#[test]
fn dotenv_files_of_every_shape_follow() {
    let name = ".openclaw/.env";
    let cases = [
        (
            "export OPENCLAW_GATEWAY_TOKEN=canary-old # mine\n",
            "export OPENCLAW_GATEWAY_TOKEN=canary-new # mine\n",
        ),
        (
            "A=1\nOPENCLAW_GATEWAY_TOKEN = 'canary-old'\n",
            "A=1\nOPENCLAW_GATEWAY_TOKEN = 'canary-new'\n",
        ),
        (
            "OPENCLAW_GATEWAY_TOKEN=\"canary-old\"\r\nB=2\r\n",
            "OPENCLAW_GATEWAY_TOKEN=\"canary-new\"\r\nB=2\r\n",
        ),
        (
            "KEY=\"-----BEGIN\nline=two\n-----END\"\nOPENCLAW_GATEWAY_TOKEN=canary-old",
            "KEY=\"-----BEGIN\nline=two\n-----END\"\nOPENCLAW_GATEWAY_TOKEN=canary-new",
        ),
        // A line in a value of several lines is no assignment.
        (
            "KEY=\"\nOPENCLAW_GATEWAY_TOKEN=canary-old\n\"\n",
            "KEY=\"\nOPENCLAW_GATEWAY_TOKEN=canary-old\n\"\n",
        ),
    ];
    for (before, after) in cases {
        let sandbox = daemon(&[(name, before)]);
        let run = sandbox.run(&["apply"]);
        let text = fs::read_to_string(sandbox.path("home").join(name)).unwrap();
        assert_eq!((run.code, text.as_str()), (Some(0), after), "{before:?}: {run:?}");
    }
}

#[test]
fn a_version_that_does_not_exist_is_said_to() {
    let sandbox = daemon(&[]);
    for version in ["banana", "2026.13.1", "2026.9", ""] {
        let run = sandbox.run(&["explain", "--as-of", version]);
        assert_eq!(run.code, Some(2), "{version:?}: {run:?}");
        assert!(run.stderr.contains("is no release of OpenClaw"), "{}", run.stderr);
        let attribute = format!("openclaw-version={version}");
        let run = sandbox.run(&["check", "--attribute", &attribute]);
        assert_eq!(run.code, Some(4), "{version:?}: {run:?}");
        assert!(run.stdout.contains("version-invalid"), "{}", run.stdout);
    }
    // One that nobody measured is taken for the newest that was, and that is said.
    let run = sandbox.run(&["explain", "--attribute", "openclaw-version=2027.1.1"]);
    assert!(run.stdout.contains("version-newer"), "{}", run.stdout);
}

#[test]
fn new_secrets_that_files_would_not_agree_on_are_not_taken() {
    use std::io::Write;
    let sandbox = daemon(&[]);
    let before = sandbox.home();
    for (secret, says) in [
        ("", "it is empty"),
        ("\n", "it is empty"),
        ("canary-short", "fewer than 16"),
        ("canary-with a space in it", "a space"),
        ("canary-with-${HOME}-in-it", "dollar"),
        ("canary-with-\"quotes\"-in-it", "a quote"),
        ("canary-with-two\ncanary-lines", "a space"),
        ("canary-50%-of-everything", "percent"),
    ] {
        let mut child = sandbox
            .command()
            .args(["rotate", "--stdin", "--policy", "binary"])
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{secret:?}: {stderr}");
        assert!(stderr.contains(says) && !stderr.contains("canary"), "{secret:?}: {stderr}");
    }
    assert_eq!(sandbox.home(), before);
}

/// A reference to a command is followed only where the operator says so, and only to a command that
/// nobody else can have put there.
#[test]
fn commands_are_run_only_where_the_operator_says_so() {
    let sandbox = daemon(&[("vault", "")]);
    let vault = sandbox.path("home/vault");
    let asked = sandbox.path("home/asked");
    let script = format!(
        "#!/bin/sh\nread line\nprintf '%s' \"$line\" > {}\n/usr/bin/env > {}.env\nprintf '{{\"protocolVersion\":1,\"values\":{{\"gw/token\":\"canary-new\"}}}}'\n",
        asked.display(),
        asked.display()
    );
    fs::write(&vault, script).unwrap();
    fs::set_permissions(&vault, fs::Permissions::from_mode(0o700)).unwrap();
    let config = format!(
        r#"{{"secrets":{{"providers":{{"v":{{"source":"exec","command":"{}","passEnv":["MINE"]}}}}}},
            "gateway":{{"auth":{{"token":{{"source":"exec","provider":"v","id":"gw/token"}}}}}}}}"#,
        vault.display()
    );
    fs::write(sandbox.config(), config).unwrap();
    let sandbox = sandbox.env(TOKEN, "canary-new").env("MINE", "1").env("OTHER", "2");
    let run = sandbox.run(&["explain"]);
    assert!(run.stdout.contains("not known") && !asked.exists(), "{}", run.stdout);
    let (code, document) = sandbox.json(&["explain", "--run-commands"]);
    assert_eq!(code, Some(0));
    let locations = document["locations"].as_array().unwrap();
    let of = |name: &str| {
        let is_it = |location: &&serde_json::Value| location["location"] == name;
        locations.iter().find(is_it).unwrap()["fingerprint"].clone()
    };
    assert!(of("config.auth-token").is_string(), "{document:#}");
    assert_eq!(of("config.auth-token"), of("env.gateway-token"), "the same secret");
    let request: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&asked).unwrap()).unwrap();
    assert_eq!(
        request,
        serde_json::json!({"protocolVersion": 1, "provider": "v", "ids": ["gw/token"]})
    );
    let environment = fs::read_to_string(sandbox.path("home/asked.env")).unwrap();
    assert!(
        environment.contains("MINE=1")
            && !environment.contains("OTHER")
            && !environment.contains(TOKEN)
    );
    // Others may write it; it is a link; it takes for ever.
    fs::remove_file(&asked).unwrap();
    fs::set_permissions(&vault, fs::Permissions::from_mode(0o770)).unwrap();
    let run = sandbox.run(&["explain", "--run-commands"]);
    assert!(run.stdout.contains("not known") && !asked.exists(), "{}", run.stdout);
    fs::set_permissions(&vault, fs::Permissions::from_mode(0o700)).unwrap();
    let real = sandbox.path("home/real");
    fs::rename(&vault, &real).unwrap();
    std::os::unix::fs::symlink(&real, &vault).unwrap();
    let run = sandbox.run(&["explain", "--run-commands"]);
    assert!(run.stdout.contains("not known") && !asked.exists(), "{}", run.stdout);
    fs::remove_file(&vault).unwrap();
    fs::write(&vault, "#!/bin/sh\n/bin/sleep 600 &\n").unwrap();
    fs::set_permissions(&vault, fs::Permissions::from_mode(0o700)).unwrap();
    let run = sandbox.run(&["explain", "--run-commands"]);
    assert!(run.stdout.contains("not known"), "{}", run.stdout);
}

#[test]
fn what_is_masked_is_not_there() {
    let drop_in = format!("{UNIT}.d/10-token.conf");
    let sandbox = daemon(&[(UNIT, "[Service]\nExecStart=/bin/true\n"), (&drop_in, "")]);
    let path = sandbox.path("home").join(&drop_in);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    let run = sandbox.run(&["check"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    // A unit that is masked is no service.
    let unit = sandbox.path("home").join(UNIT);
    fs::remove_file(&unit).unwrap();
    std::os::unix::fs::symlink("/dev/null", &unit).unwrap();
    let run = sandbox.run(&["check"]);
    assert_eq!(run.code, Some(0), "{run:?}");
}

/// Two names of one file are one place, which changes once.
#[test]
fn two_names_of_one_file_change_once() {
    let sandbox = daemon(&[(".openclaw/.env", "OPENCLAW_GATEWAY_TOKEN=canary-old\n")]);
    let link = sandbox.path("home/.config/openclaw/gateway.env");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    let file = sandbox.path("home/.openclaw/.env");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "OPENCLAW_GATEWAY_TOKEN=canary-new\n");
    assert!(link.is_symlink());
}

/// A file whose readers follow two grammars is edited by neither.
#[test]
fn a_file_that_is_read_in_two_ways_is_left_alone() {
    let env = "OPENCLAW_GATEWAY_TOKEN=canary-first\nexport OPENCLAW_GATEWAY_TOKEN=canary-old\n";
    let unit = "[Service]\nEnvironmentFile=-%h/.openclaw/.env\n";
    let sandbox = daemon(&[(".openclaw/.env", env), (UNIT, unit)]);
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(4), before), "{run:?}");
    for code in ["target-read-only", "file-read-in-two-ways"] {
        assert!(run.stdout.contains(code), "{}", run.stdout);
    }
}

/// Many ways that lead to the same few files are walked once each.
#[test]
fn files_that_name_one_another_again_and_again_take_no_time() {
    let names = |next: usize| vec![format!("\"./{next}.json5\""); 10].join(",");
    let files: Vec<(String, String)> = (0..9)
        .map(|index| {
            let body = if index == 8 {
                "{}".to_owned()
            } else {
                format!("{{\"$include\":[{}]}}", names(index + 1))
            };
            (format!(".openclaw/{index}.json5"), body)
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let sandbox = daemon(&files);
    fs::write(
        sandbox.config(),
        r#"{"$include":"./0.json5","gateway":{"auth":{"token":"canary-new"}}}"#,
    )
    .unwrap();
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
}

/// A file of secrets that others may read is refused by the gateway, so it is no copy.
#[test]
fn a_file_of_secrets_is_followed_where_the_gateway_follows_it() {
    let sandbox = daemon(&[("secrets.json", r#"{"gw":{"token":"canary-new"}}"#)]);
    let path = sandbox.path("home/secrets.json");
    let config = format!(
        r#"{{"secrets":{{"providers":{{"f":{{"source":"file","path":"{}"}}}}}},"gateway":{{"auth":{{"token":{{"source":"file","provider":"f","id":"/gw/token"}}}}}}}}"#,
        path.display()
    );
    fs::write(sandbox.config(), config).unwrap();
    let sandbox = sandbox.env(TOKEN, "canary-new");
    let fingerprint = |sandbox: &Sandbox| {
        let (_, document) = sandbox.json(&["explain"]);
        let locations = document["locations"].as_array().unwrap().clone();
        let auth = locations.into_iter().find(|l| l["location"] == "config.auth-token").unwrap();
        auth["fingerprint"].clone()
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(fingerprint(&sandbox).is_string());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(fingerprint(&sandbox).is_null());
}
