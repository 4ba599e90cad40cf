//! Everything that is not as it should be: one clear error or finding each, and nothing written.

use std::{fs, os::unix::fs::PermissionsExt, os::unix::fs::symlink};

use crate::support::{NEW, OLD, Sandbox, TOKEN};

/// Applies, and returns the codes of the findings. Nothing in the home may change.
fn left_alone(sandbox: &Sandbox, code: i32, says: &[&str]) {
    let before = sandbox.home();
    let run = sandbox.run(&["apply", "--phase", "start"]);
    assert_eq!(sandbox.home(), before, "nothing is written: {run:?}");
    assert_eq!(run.code, Some(code), "{run:?}");
    for word in says {
        assert!(run.stdout.contains(word), "{word:?} in {}", run.stdout);
    }
}

#[test]
fn no_config_is_not_made_up() {
    // OpenClaw refuses to start without one, and would start with one that we made up.
    let sandbox = Sandbox::new().env(TOKEN, NEW);
    left_alone(&sandbox, 0, &["Nothing to change.", "document-absent", "In sync"]);
}

#[test]
fn an_empty_home_reads_well() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["explain"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for words in [
        "(gateway-password, gateway-token: no copy anywhere)",
        "document-absent",
        "it is looked for at $OPENCLAW_CONFIG_PATH, else ",
        "OPENCLAW_GATEWAY_TOKEN is not set here",
        "There is no copy of a secret here, so nothing can disagree.",
    ] {
        assert!(run.stdout.contains(words), "{words:?} in {}", run.stdout);
    }
}

#[test]
fn a_healthy_installation_reads_well() {
    let config = r#"{"meta":{"lastTouchedVersion":"2026.9.6"},
        "gateway":{"auth":{"token":"canary-new"},"remote":{"token":"canary-new"}}}"#;
    let run = Sandbox::with_config(config).run(&["explain"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("In sync: every program gets"), "{}", run.stdout);
    for words in ["✗", "Findings", "To repair", "!"] {
        assert!(!run.stdout.contains(words), "{words:?} in {}", run.stdout);
    }
}

#[test]
fn documents_that_do_not_parse_are_left_as_they_are() {
    let cases = [
        ("", "openclaw.json: the file is empty"),
        (" \n", "openclaw.json: the file is empty"),
        ("{", "openclaw.json:1:1: unterminated object"),
        ("{\n  \"gateway\": {,}\n}", "openclaw.json:2:15: "),
        ("[]", "openclaw.json:1:1: expected an object"),
        ("\"text\"", "openclaw.json:1:1: expected an object"),
        ("{\"a\": 1 \"b\": 2}", "openclaw.json:1:8: expected comma"),
        (
            "{\"gateway\":{\"port\":1},\n\"gateway\":{\"remote\":{\"token\":\"canary-old\"}}}",
            "openclaw.json:2:1: the key `gateway` stands twice in one object",
        ),
    ];
    for (text, says) in cases {
        left_alone(&Sandbox::with_config(text), 4, &[says, "error", "→"]);
    }
    let binary = Sandbox::with_config("");
    fs::write(binary.config(), b"{\"a\": \"\xff\xfe\"}").unwrap();
    left_alone(&binary, 4, &["openclaw.json:1:8: not UTF-8"]);
}

#[test]
fn a_value_of_another_type_is_left_as_it_is() {
    left_alone(&Sandbox::with_config(r#"{"gateway":"x"}"#), 4, &["gateway in ", "is a string"]);
    left_alone(
        &Sandbox::with_config(r#"{"gateway":{"auth":{"token":17}}}"#),
        4,
        &["gateway.auth.token in ", "is no string"],
    );
    left_alone(&Sandbox::with_config(r#"{"gateway":null}"#), 4, &["gateway in ", "is null"]);
}

#[test]
fn what_fails_is_never_in_sync() {
    let reference = r#"{"gateway":{"auth":{"token":"${OPENCLAW_GATEWAY_TOKEN}"}}}"#;
    let both = r#"{"gateway":{"auth":{"token":"canary-a","password":"canary-p"}}}"#;
    for config in ["{\"gateway\": oops", reference, both] {
        let sandbox = Sandbox::with_config(config).without(TOKEN);
        for verb in ["apply", "check"] {
            let run = sandbox.run(&[verb, "--phase", "start"]);
            assert_eq!(run.code, Some(4), "{verb} {config}: {run:?}");
            assert!(!run.stdout.to_lowercase().contains("in sync"), "{}", run.stdout);
            assert!(run.stdout.contains("✗ fails"), "{}", run.stdout);
        }
        assert_eq!(sandbox.config_text(), config);
    }
}

#[test]
fn a_text_with_variables_in_it_is_a_reference() {
    // OpenClaw puts such a text together; it is nothing to be replaced.
    let config = r#"{"gateway":{"remote":{"token":"pre-${ABC}"}}}"#;
    let sandbox = Sandbox::with_config(config);
    let run = sandbox.run(&["apply", "--set", "persist=remote-only"]);
    assert!(run.stdout.contains("a text with variables in it"), "{run:?}");
    assert_eq!(sandbox.config_text(), config);
    // And a secret that would become one is not written.
    let sandbox = Sandbox::stale_remote().env(TOKEN, "canary-${HOME}");
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(3), before), "{run:?}");
    assert!(run.stderr.contains("the secret holds `${`"), "{}", run.stderr);
}

/// A document that goes on in other files is what its readers put together, and each copy is written
/// where it stands.
#[test]
fn what_goes_on_in_another_file_is_read_and_written_there() {
    let main = r#"{ gateway: { $include: ["./base.json5", "sub/gw.json5"], mode: "local" } }"#;
    let sandbox = Sandbox::with_config(main);
    let beside = |name: &str| sandbox.path(&format!("home/.openclaw/{name}"));
    fs::create_dir(beside("sub")).unwrap();
    fs::write(beside("base.json5"), "{ auth: { token: 'canary-older' }, remote: {} }").unwrap();
    // Later files win over earlier ones, and go on in others themselves.
    fs::write(beside("sub/gw.json5"), "{ // mine\n  auth: { $include: './auth.json5' } }").unwrap();
    fs::write(beside("sub/auth.json5"), "{ token: 'canary-old' }").unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let text = |name: &str| fs::read_to_string(beside(name)).unwrap();
    assert_eq!(text("sub/auth.json5"), "{ token: 'canary-new' }");
    assert_eq!(
        text("base.json5"),
        "{ auth: { token: 'canary-older' }, remote: {\"token\": \"canary-new\"} }"
    );
    assert_eq!(sandbox.config_text(), main);
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
}

#[test]
fn files_that_cannot_be_put_together_are_left_alone() {
    let broken = [
        (r#"{"$include":"./x.json5"}"#, "", "which cannot be read"),
        (r#"{"gateway":{"$include":"./openclaw.json"}}"#, "", "which leads back to it"),
        (
            r#"{"gateway":{"$include":"./y.json5"}}"#,
            r#"{"$include":"./y.json5"}"#,
            "which leads back to it",
        ),
        (r#"{"gateway":{"$include":"./y.json5"}}"#, "{ \"a\": }", "y.json5:1:"),
        (r#"{"gateway":{"$include":"../../outside.json5"}}"#, "", "outside its own folder"),
        (r#"{"gateway":{"$include":7}}"#, "", "neither the name of a file nor a list"),
    ];
    for (config, other, says) in broken {
        let sandbox = Sandbox::with_config(config);
        if !other.is_empty() {
            fs::write(sandbox.path("home/.openclaw/y.json5"), other).unwrap();
        }
        left_alone(&sandbox, 4, &[says]);
    }
}

#[test]
fn a_read_only_file_is_taken_at_its_word() {
    let sandbox = Sandbox::stale_remote();
    fs::set_permissions(sandbox.config(), fs::Permissions::from_mode(0o444)).unwrap();
    left_alone(&sandbox, 4, &["target-read-only"]);
    let sandbox = Sandbox::with_config(&format!(r#"{{"gateway":{{"auth":{{"token":"{OLD}"}}}}}}"#));
    fs::set_permissions(sandbox.config(), fs::Permissions::from_mode(0o400)).unwrap();
    // The server itself would switch to the stale copy.
    left_alone(&sandbox, 4, &["target-read-only", "Not in order"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_left_as_it_is() {
    let Some(setpriv) = crate::support::tools::program("setpriv") else { return };
    if !rustix::process::geteuid().is_root() {
        return crate::support::tools::skip("only root can become somebody without its rights");
    }
    let sandbox = Sandbox::stale_remote();
    let folder = sandbox.path("home/.openclaw");
    for path in [sandbox.config(), sandbox.path("home"), sandbox.path("")] {
        std::os::unix::fs::chown(path, Some(1000), Some(1000)).unwrap();
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let before = sandbox.home();
    // The folder that the program was built in may be closed to others.
    let program = sandbox.path("precedent");
    fs::copy(&sandbox.program, &program).unwrap();
    let mut command = std::process::Command::new(setpriv);
    command
        .args(["--reuid", "1000", "--regid", "1000", "--clear-groups", "--inh-caps=-all"])
        .arg(program)
        .args(["apply", "--policy", "helm", "--phase", "start"])
        .env_clear();
    for (name, value) in sandbox.command().get_envs() {
        command.env(name, value.unwrap());
    }
    let output = command.current_dir(sandbox.path("home")).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(stdout.contains("target-read-only"), "{stdout}");
    assert_eq!(sandbox.home(), before);
}

#[test]
fn what_is_no_file_is_left_as_it_is() {
    let sandbox = Sandbox::new().env(TOKEN, NEW);
    symlink("/nowhere/openclaw.json", sandbox.config()).unwrap();
    left_alone(&sandbox, 4, &["document-unreadable", "a link that leads nowhere"]);

    let sandbox = Sandbox::new().env(TOKEN, NEW);
    fs::create_dir(sandbox.config()).unwrap();
    left_alone(&sandbox, 4, &["document-unreadable", "no regular file"]);

    let sandbox = Sandbox::new().env(TOKEN, NEW);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        sandbox.config(),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    left_alone(&sandbox, 4, &["document-unreadable", "no regular file"]);
}

#[test]
fn a_huge_file_is_not_read() {
    let sandbox = Sandbox::with_config("");
    fs::File::options()
        .write(true)
        .open(sandbox.config())
        .unwrap()
        .set_len(17 * 1024 * 1024)
        .unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(run.stdout.contains("larger than 16 MiB"), "{}", run.stdout);
}

#[test]
fn the_token_of_the_documentation_counts_as_unset() {
    let sandbox = Sandbox::stale_remote().env(TOKEN, "change-me-to-a-long-random-token");
    let before = sandbox.home();
    // The example is no secret, and the finding may speak of it.
    let output = sandbox.command().args(["apply", "--policy", "helm"]).output().unwrap();
    assert_eq!(sandbox.home(), before);
    assert!(String::from_utf8_lossy(&output.stdout).contains("token-is-placeholder"));
}

#[test]
fn settings_that_the_policy_refuses() {
    let sandbox = Sandbox::stale_remote();
    let before = sandbox.home();
    for (setting, says) in [
        ("persist=bth", "unknown variant `bth`, expected one of `both`"),
        ("persits=both", "unknown field `persits`, expected `persist`"),
        ("persist=1", "refused its settings"),
    ] {
        let run = sandbox.run(&["apply", "--set", setting]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(says), "{}", run.stderr);
        assert!(!run.stderr.contains("at line"), "{}", run.stderr);
    }
    assert_eq!(sandbox.home(), before);
}

#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    // A file system of its own, 64 KiB, filled to the last block.
    let Some(mounted) = crate::support::tools::program("unshare") else { return };
    let sandbox = Sandbox::stale_remote();
    let script = r#"
        set -e
        mount -t tmpfs -o size=64k none "$HOME/.openclaw"
        printf '%s' "$CONFIG" > "$HOME/.openclaw/openclaw.json"
        dd if=/dev/zero of="$HOME/.openclaw/fill" bs=4096 2>/dev/null || true
        code=0; "$PROGRAM" apply --policy helm || code=$?
        printf '%s' "$CONFIG" | cmp - "$HOME/.openclaw/openclaw.json"
        test "$(ls -A "$HOME/.openclaw" | wc -l)" = 2
        exit $code
    "#;
    let mut command = std::process::Command::new(mounted);
    command
        .args(["--mount", "--map-root-user", "sh", "-c", script])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("CONFIG", sandbox.config_text())
        .env("PROGRAM", &sandbox.program);
    for (name, value) in sandbox.command().get_envs() {
        command.env(name, value.unwrap());
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
    assert!(stderr.contains("it is as it was"), "{stderr}");
    assert!(!stderr.contains("canary-"), "{stderr}");
}
