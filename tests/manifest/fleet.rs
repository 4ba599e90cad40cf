//! `[fleet]`: what it can say, and errors that point and show no secret.

use std::{fs, path::Path, time::Duration};

use precedent::config::{Deployment, FleetSpec, Manifest, ManifestError, PathTemplate};

use crate::support::Sandbox;

/// A fleet of three nodes, of which two sign. What is more stands in line 10.
const FLEET: &str = r#"deployment.preset = "openclaw"
policy.name = "nodes"
[fleet]
name = "site"
endpoints = ["https://store-1:2379"]
ca = "tls/ca.pem"
certificate = "tls/node.pem"
key = "tls/node.key"
fingerprint-key = "fleet.key"
# more
[[peers]]
name = "pc-a"
signer = "0ipZH0O9Qnl7Hw7QyaAmfQHveSMZqxQUX6K8N5A1YS4="
[[peers]]
name = "pc-b"
signer = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
[[peers]]
name = "store"
recipient = "age1gtyznf946c9rlxtwf5k2yp4kdxypc9j843pjg3c0gdh23uq39swqqj6uvl"
"#;

/// The three files of `https`.
const FILES: &str = "ca = \"tls/ca.pem\"\ncertificate = \"tls/node.pem\"\nkey = \"tls/node.key\"\n";

fn with(line: &str, instead: &str) -> String {
    assert!(FLEET.contains(line), "{line}");
    FLEET.replace(line, instead)
}

fn read(text: &str) -> Result<FleetSpec, ManifestError> {
    let path = Path::new("/base/precedent.toml");
    let deployment = Deployment::new(path, text, &Manifest::parse(path, text)?, None)?;
    Ok(deployment.fleet.unwrap())
}

#[test]
fn what_is_left_out_has_a_default() {
    let fleet = read(FLEET).unwrap();
    assert_eq!(fleet.name, "site");
    assert_eq!(fleet.endpoints, ["https://store-1:2379"]);
    assert_eq!(fleet.ca, Some(PathTemplate::One("tls/ca.pem".to_owned())));
    assert_eq!(fleet.certificate, Some(PathTemplate::One("tls/node.pem".to_owned())));
    assert_eq!(fleet.key, Some(PathTemplate::One("tls/node.key".to_owned())));
    assert_eq!(fleet.fingerprint_key, PathTemplate::One("fleet.key".to_owned()));
    assert_eq!(fleet.leaders, ["pc-a", "pc-b"], "those that sign");
    assert!(fleet.send.is_empty() && fleet.accepts.is_empty(), "{fleet:?}");
    assert_eq!(fleet.interval, Duration::from_secs(60));
    assert_eq!(fleet.cut_off, Duration::from_secs(120));
    let path = Path::new("/base/precedent.toml");
    let (peers, _) = FLEET.split_once("[fleet]").unwrap();
    let without = Deployment::new(path, peers, &Manifest::parse(path, peers).unwrap(), None);
    assert_eq!(without.unwrap().fleet, None);
}

#[test]
fn what_is_said_holds() {
    let more = "leaders = [\"pc-b\", \"pc-b\"]\nsend = [\"env.gateway-token\", \"auth-profiles\"]\n\
        interval-seconds = 3600\ncut-off-seconds = 5\nrotation.accepts = [\"config.remote-token\"]";
    let fleet = read(&with("# more", more)).unwrap();
    assert_eq!(fleet.leaders, ["pc-b"]);
    assert_eq!(fleet.interval, Duration::from_secs(3600));
    assert_eq!(fleet.cut_off, Duration::from_secs(5));
    assert_eq!(fleet.accepts, ["config.remote-token"]);
    for (name, may) in [
        ("env.gateway-token", true),
        ("env.gateway-token@override.conf", true),
        ("auth-profiles@main/anthropic", true),
        ("auth-profiles-refresh@main/anthropic", false),
        ("config.remote-token", false),
        ("env", false),
        ("", false),
    ] {
        assert_eq!(fleet.may_send(name), may, "{name}");
    }
}

/// Nothing that travels to another machine does so in clear.
#[test]
fn only_a_store_on_this_machine_does_without_encryption() {
    for endpoint in [
        "http://127.0.0.1:2379",
        "http://127.8.0.1:2379",
        "http://[::1]:2379",
        "http://localhost:1",
        "https://10.0.0.1:2379",
        "https://[2001:db8::1]:65535",
        "https://store_1.example:2379",
    ] {
        let fleet = read(&with("https://store-1:2379", endpoint)).unwrap();
        assert_eq!(fleet.endpoints, [endpoint]);
    }
    let local = with(FILES, "").replace("https://store-1", "http://127.0.0.1");
    assert_eq!(read(&local).unwrap().key, None);
    for endpoint in [
        "http://10.0.0.1:2379",
        "http://store-1:2379",
        "http://[2001:db8::1]:2379",
        "http://localhost.example:2379",
        "http://127.0.0.1.example:2379",
        "http://[::ffff:10.0.0.1]:2379",
        "http://0.0.0.0:2379",
    ] {
        let error = read(&with("https://store-1:2379", endpoint)).unwrap_err();
        assert!(error.message.contains("must be encrypted"), "{endpoint}: {error}");
        assert!(error.message.contains("be known by a certificate"), "{endpoint}: {error}");
    }
    for endpoint in [
        "",
        "store-1:2379",
        "ftp://store-1:2379",
        "HTTPS://store-1:2379",
        "https://store-1",
        "https://store-1:",
        "https://store-1:0",
        "https://store-1:+80",
        "https://store-1:65536",
        "https://:2379",
        "https://store-1:2379/",
        "https://store-1:2379/v3",
        "https://store 1:2379",
        "https://2001:db8::1:2379",
        "https://[store-1]:2379",
        "https://[::1]",
        "https://root:canary-password@store-1:2379",
        "http://root:canary-password@127.0.0.1:2379",
        "http://127.0.0.1:2379@store-1:2379",
        "root:canary-password@store-1:2379",
    ] {
        let error = read(&with("https://store-1:2379", endpoint)).unwrap_err();
        assert_eq!(error.at, Some((5, 14)), "{endpoint}: {error}");
        assert!(error.message.contains("is `https://HOST:PORT`, with no user"), "{error}");
        assert_eq!(error.line, None, "there may be a password in it");
    }
}

#[test]
fn a_name_becomes_part_of_keys() {
    let longest = "x".repeat(64);
    for name in ["a", "Site_1.eu-west", longest.as_str()] {
        assert_eq!(read(&with("\"site\"", &format!("{name:?}"))).unwrap().name, name);
    }
    let longer = "x".repeat(65);
    for name in ["", " ", "a/b", "..", "a b", "größe", "a\n", longer.as_str()] {
        let error = read(&with("\"site\"", &format!("{name:?}"))).unwrap_err();
        assert_eq!(error.at, Some((4, 8)), "{name:?}: {error}");
        assert!(error.message.contains("1 to 64 letters"), "{error}");
    }
}

/// What is wrong, where, and what to do.
#[test]
fn mistakes_point_and_say_what_is_allowed() {
    let (alone, _) = FLEET.split_once("[[peers]]").unwrap();
    let unsigned = "[[peers]]\nname = \"store\"";
    let (_, signing) = FLEET.split_once("# more\n").unwrap();
    let (signing, _) = signing.split_once(unsigned).unwrap();
    let cases = [
        (alone.to_owned(), ":4:8: ", "this one too, is one of [[peers]]"),
        (with("name = \"site\"\n", ""), ":3:1: ", "missing field `name`"),
        (
            with("fingerprint-key = \"fleet.key\"\n", ""),
            ":3:1: ",
            "missing field `fingerprint-key`",
        ),
        (
            with("endpoints = [\"https://store-1:2379\"]\n", ""),
            ":3:1: ",
            "missing field `endpoints`",
        ),
        (with("\"https://store-1:2379\"", ""), ":4:8: ", "`endpoints = [\"https://HOST:PORT\"]`"),
        (
            with("# more", "leader = [\"pc-a\"]"),
            ":10:1: ",
            "unknown field `leader`, expected one of",
        ),
        (with("ca = \"tls/ca.pem\"\n", ""), ":5:14: ", "by which this node is; add `ca`"),
        (with(FILES, ""), ":5:14: ", "add `ca`, `certificate`, `key`"),
        (with("key = \"tls/node.key\"\n", ""), ":7:15: ", "add `key = \"PATH\"`"),
        (with("certificate = \"tls/node.pem\"\n", ""), ":7:7: ", "add `certificate = \"PATH\"`"),
        (with("\"tls/ca.pem\"", "\" \""), ":6:6: ", "write its path"),
        (with("\"fleet.key\"", "[]"), ":9:19: ", "write its path"),
        (with("# more", "leaders = []"), ":10:11: ", "leave `leaders` out for all that have"),
        (
            with("# more", "leaders = [\"pc-a\", \"pc-c\"]"),
            ":10:20: ",
            "unknown peer `pc-c`, expected one of `pc-a`, `pc-b`, `store`",
        ),
        (
            with("# more", "leaders = [\"store\"]"),
            ":10:12: ",
            "peer `store` leads, and has no `signer`",
        ),
        (with(signing, ""), ":4:8: ", "no peer has a `signer`"),
        (
            with("# more", "send = [\"auth-profiles\", \"auth-profiles-refresh\"]"),
            ":10:26: ",
            "unknown location `auth-profiles-refresh`, expected one of ",
        ),
        (with("# more", "interval-seconds = 0"), ":10:20: ", "1 to 3600 are allowed"),
        (with("# more", "interval-seconds = 3601"), ":10:20: ", "3601 seconds are not possible"),
        (with("# more", "cut-off-seconds = 4"), ":10:19: ", "5 to 86400 are allowed"),
        (with("# more", "cut-off-seconds = 86401"), ":10:19: ", "86401 seconds are not possible"),
        (
            with("# more", "[fleet.rotation]\naccepts = [\"config.remote-tokn\"]"),
            ":11:12: ",
            "unknown location `config.remote-tokn`, expected one of `env.gateway-token`, ",
        ),
        (
            with("# more", "rotation.accepts = [\"auth-profiles\"]"),
            ":10:21: ",
            "unknown location `auth-profiles`",
        ),
        (with("# more", "[fleet.rotation]\naccept = []"), ":11:1: ", "expected one of `accepts`, "),
    ];
    for (text, at, says) in cases {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(at), "{at} in {error}\n{text}");
        assert!(error.contains(says), "{says} in {error}\n{text}");
    }
}

/// Somebody writes the key where its file should stand: neither the line nor the message shows it.
#[test]
fn a_secret_in_the_place_of_a_file_is_not_shown() {
    let hexadecimal = "\"c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00\"";
    let base64 = "\"c0ffee/canary+c0ffee/canary+c0ffee/canary+Y=\"";
    let pem = "\"-----BEGIN PRIVATE KEY-----\\ncanary\\n-----END PRIVATE KEY-----\"";
    let several = "\"\"\"\n-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n\"\"\"";
    let listed = format!("[{pem}]");
    let below = format!("[\n{hexadecimal},\n]");
    for secret in [hexadecimal, base64, pem, several, &listed, &below] {
        for (key, at) in [
            ("\"tls/ca.pem\"", ":6:6: "),
            ("\"tls/node.pem\"", ":7:15: "),
            ("\"tls/node.key\"", ":8:7: "),
            ("\"fleet.key\"", ":9:19: "),
        ] {
            let run = is_wrong(&with(key, secret), at);
            assert!(run.contains("put that into a file, and write its path"), "{run}");
        }
    }
    let unknown = format!("fingerprint = {hexadecimal}");
    for (text, at) in [
        (with("# more", &unknown), ":10:1: "),
        (with("\"fleet.key\"", "{ value = \"canary\" }"), ":9:19: "),
        (with("\"fleet.key\"", "canary"), ":9:"),
        (with("\"tls/node.key\"", "canary"), ":8:"),
        (with("[\"https://store-1:2379\"]", "\"https://u:canary@store-1:2379\""), ":5:13: "),
        (with("[\"https://store-1:2379\"]", "\"u:canary@store-1:2379\""), ":5:13: "),
        (with("\"https://store-1:2379\"", "\n\"u:canary@store-1:2379\"\n"), ":6:1: "),
    ] {
        is_wrong(&text, at);
    }
}

/// What the program says of it, which holds no canary.
fn is_wrong(text: &str, at: &str) -> String {
    let sandbox = Sandbox::stale_remote();
    fs::write(sandbox.path("home/precedent.toml"), text).unwrap();
    let run = sandbox.run(&["explain"]);
    assert_eq!(run.code, Some(2), "{text}: {run:?}");
    assert!(run.stderr.contains(at), "{at} in {}\n{text}", run.stderr);
    for secret in ["canary", "c0ffee"] {
        assert!(!run.stderr.contains(secret), "{}\n{text}", run.stderr);
    }
    run.stderr
}

/// A rollback decides by no policy of the manifest, and a node may be told to decide by another one.
#[test]
fn what_may_be_sent_depends_on_no_policy() {
    let sandbox = Sandbox::stale_remote();
    let text = with("# more", "send = [\"auth-profiles\"]");
    fs::write(sandbox.path("home/precedent.toml"), text).unwrap();
    for verb in [["rollback", "--list"].as_slice(), &["explain", "--policy", "helm"]] {
        let run = sandbox.run(verb);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}
