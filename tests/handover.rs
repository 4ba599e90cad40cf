//! One credential handed from node to node, sealed: `export` here, `import` there, and whatever may happen
//! on the way.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    time::{SystemTime, UNIX_EPOCH},
};

use precedent::{
    handover::{Handover, LARGEST, NodeIdentity, seal},
    record::StateFolder,
};
use secrecy::SecretString;
use serde_json::Value;

use crate::support::{Run, Sandbox, TOKEN};

const SECRET: &str = "canary-handed-over-0001";
const BEFORE: &str =
    r#"{"gateway":{"auth":{"token":"canary-before"},"remote":{"token":"canary-before"}}}"#;
const HEAD: &str = "deployment = { preset = \"openclaw\" }\n";
const EXPORT: [&str; 5] = ["export", "--credential", "gateway-token", "--to", "server"];

/// A laptop that has the new token, and a server that is to get it. Each is in the other's manifest.
struct Nodes {
    laptop: Sandbox,
    server: Sandbox,
}

fn nodes() -> Nodes {
    let laptop = Sandbox::stale_remote().env(TOKEN, SECRET);
    let server = Sandbox::new();
    fs::write(server.config(), BEFORE).unwrap();
    manifest(&laptop, "helm", &peer(&server, "server"));
    manifest(&server, "binary", &peer(&laptop, "laptop"));
    Nodes { laptop, server }
}

fn manifest(sandbox: &Sandbox, policy: &str, peers: &str) {
    let text = format!("{HEAD}policy.name = \"{policy}\"\n{peers}");
    fs::write(sandbox.path("home/precedent.toml"), text).unwrap();
}

/// What a node prints of itself, under a name.
fn peer(sandbox: &Sandbox, name: &str) -> String {
    let run = sandbox.run(&["identity"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert!(run.stdout.contains("name = \"a name for this node\""), "{run:?}");
    run.stdout.replace("a name for this node", name)
}

fn identity(sandbox: &Sandbox) -> NodeIdentity {
    StateFolder::new(sandbox.path("state")).identity().unwrap().unwrap()
}

/// What a node exports, sealed.
fn exported(sandbox: &Sandbox, args: &[&str]) -> String {
    let run = sandbox.run(&[&EXPORT, args].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    run.stdout
}

fn import(sandbox: &Sandbox, args: &[&str], text: &[u8]) -> Run {
    let output = sandbox.fed(&[&["import"], args].concat(), text);
    sandbox.hear(&output);
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Nothing came of it, and it says why.
fn is_refused(sandbox: &Sandbox, text: &[u8], code: i32, says: &str) {
    let before = sandbox.home();
    let run = import(sandbox, &[], text);
    assert_eq!(run.code, Some(code), "{says}: {run:?}");
    assert!(run.stderr.contains(says), "{says:?} in {run:?}");
    assert_eq!(sandbox.home(), before, "{says}");
}

fn used(sandbox: &Sandbox) -> usize {
    fs::read_dir(sandbox.path("state/handovers")).map_or(0, Iterator::count)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Nodes {
    /// What the laptop would have sealed at another time.
    fn sealed(&self, credential: &str, created: u64, expires: u64) -> String {
        let secret = SecretString::from(SECRET);
        let handover =
            Handover { credential, deployment: "openclaw", secret: &secret, created, expires };
        seal(&identity(&self.laptop), &identity(&self.server).recipient(), &handover).unwrap()
    }
}

#[test]
fn a_credential_goes_from_node_to_node() {
    let Nodes { laptop, server } = nodes();
    let before = laptop.home();
    let run = laptop.run(&EXPORT);
    assert_eq!((run.code, laptop.home()), (Some(0), before), "{run:?}");
    assert!(run.stdout.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"), "{run:?}");
    assert!(run.stdout.ends_with("\n-----END AGE ENCRYPTED FILE-----\n"), "{run:?}");
    assert!(run.stderr.starts_with("gateway-token of OPENCLAW_GATEWAY_TOKEN ("), "{run:?}");
    assert!(run.stderr.contains("), sealed to server; valid until 2"), "{run:?}");

    // A look first, and it can still be imported.
    let text = run.stdout.into_bytes();
    let before = server.home();
    let dry = import(&server, &["--dry-run"], &text);
    assert_eq!((dry.code, server.home(), used(&server)), (Some(0), before, 0), "{dry:?}");
    assert!(
        dry.stdout.contains("Dry run: nothing was written. It can still be imported."),
        "{dry:?}"
    );

    let run = import(&server, &[], &text);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    for words in [
        "gateway-token of openclaw, handed over by laptop at 2",
        "gateway.auth.token takes the new token",
        "precedent rollback",
        "In sync",
    ] {
        assert!(run.stdout.contains(words), "{words:?} in {run:?}");
    }
    let config = server.config_text();
    assert_eq!(config.matches(SECRET).count(), 2, "both copies");
    assert!(!config.contains("canary-before"));
    assert_eq!(server.run(&["check"]).code, Some(0));
    assert_eq!(used(&server), 1);
    let journal = fs::read_to_string(server.path("state/journal-openclaw.jsonl")).unwrap();
    assert!(journal.contains("\"import\""));
    let journal = fs::read_to_string(laptop.path("state/journal-openclaw.jsonl")).unwrap();
    assert!(journal.contains("\"export\""));

    is_refused(&server, &text, 1, "it was used here before");
    assert_eq!(server.run(&["rollback"]).code, Some(0));
    assert_eq!(server.config_text(), BEFORE);
    is_refused(&server, &text, 1, "it was used here before");
    let dry = import(&server, &["--dry-run"], &text);
    assert_eq!(dry.code, Some(1), "{dry:?}");
    // The same secret once more is another handover.
    let run = import(&server, &["--format", "json"], exported(&laptop, &[]).as_bytes());
    assert_eq!(run.code, Some(0), "{run:?}");
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["schema"], "precedent.import/1");
    assert_eq!(
        (&document["from"]["peer"], &document["credential"]),
        (&"laptop".into(), &"gateway-token".into())
    );
    assert_eq!(document["changes"][0]["from"], "incoming.gateway-token");
}

#[test]
fn an_identity_is_made_once_and_its_secret_half_is_said_nowhere() {
    let sandbox = Sandbox::new();
    let (code, one) = sandbox.json(&["identity"]);
    assert_eq!((code, &one["schema"]), (Some(0), &"precedent.identity/1".into()));
    assert_eq!(sandbox.json(&["identity"]).1, one);
    let (recipient, signer) = (one["recipient"].as_str().unwrap(), one["signer"].as_str().unwrap());
    assert!(recipient.starts_with("age1") && recipient.len() == 62, "{recipient}");
    assert_eq!(signer.len(), 44, "{signer}");
    let run = sandbox.run(&["identity"]);
    for line in [format!("recipient = \"{recipient}\""), format!("signer = \"{signer}\"")] {
        assert!(run.stdout.contains(&line), "{run:?}");
    }
    let path = sandbox.path("state/identity");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let kept = fs::read_to_string(&path).unwrap();
    let secrets: Vec<&str> = kept.lines().skip(1).collect();
    assert!(secrets.len() == 2 && secrets[0].starts_with("AGE-SECRET-KEY-1"));

    manifest(&sandbox, "helm", &peer(&sandbox, "itself"));
    fs::write(sandbox.config(), "{}").unwrap();
    let mut outputs = vec![run];
    let all: [&[&str]; 3] = [
        &["export", "--credential", "gateway-token", "--to", "itself"],
        &[
            "export",
            "--credential",
            "gateway-token",
            "--to",
            recipient,
            "--from",
            "config.auth-token",
        ],
        &["check"],
    ];
    outputs.extend(all.into_iter().map(|args| sandbox.run(args)));
    outputs.push(import(&sandbox, &[], b"-----BEGIN AGE ENCRYPTED FILE-----"));
    for run in outputs {
        assert!(!secrets.iter().any(|one| run.stdout.contains(one) || run.stderr.contains(one)));
    }
}

#[test]
fn an_identity_that_others_have_access_to_is_not_used() {
    let Nodes { laptop, server } = nodes();
    let text = exported(&laptop, &[]);
    let path = server.path("state/identity");
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    for shared in [0o640, 0o604, 0o660] {
        mode(shared);
        is_refused(&server, text.as_bytes(), 3, "run `chmod 600 ");
        let run = server.run(&["identity"]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(3), ""), "{run:?}");
    }
    mode(0o600);
    let kept = fs::read_to_string(&path).unwrap();
    fs::write(&path, "canary of nothing").unwrap();
    is_refused(&server, text.as_bytes(), 3, "it is no identity; remove it");
    fs::write(&path, kept).unwrap();
    // Only root can give a file away.
    if chown(&path, Some(4711), None).is_ok() {
        is_refused(&server, text.as_bytes(), 3, "it belongs to another user (4711");
        chown(&path, Some(0), None).unwrap();
    }
    fs::rename(&path, server.path("state/elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    is_refused(&server, text.as_bytes(), 3, "it is no regular file");
    fs::remove_file(&path).unwrap();
    is_refused(&server, text.as_bytes(), 2, "run `precedent identity`");
    fs::rename(server.path("state/elsewhere"), &path).unwrap();
    assert_eq!(import(&server, &[], text.as_bytes()).code, Some(0));
}

#[test]
fn what_was_changed_or_cut_is_refused() {
    let Nodes { laptop, server } = nodes();
    let text = exported(&laptop, &[]);
    let damaged = "it was damaged or changed on its way";
    // The last full line of what is sealed; the first ones say to whom.
    let lines: Vec<&str> = text.lines().collect();
    let line = lines[lines.len() - 3];
    let first = if line.starts_with('A') { "B" } else { "A" };
    let flipped = text.replace(line, &format!("{first}{}", &line[1..]));
    assert_ne!(flipped, text);
    is_refused(&server, flipped.as_bytes(), 1, damaged);
    is_refused(&server, text.replace(&format!("{line}\n"), "").as_bytes(), 1, damaged);
    is_refused(&server, &text.as_bytes()[..text.len() / 2], 1, "it is cut off");
    is_refused(&server, b"", 1, "nothing came on standard input");
    is_refused(&server, b" \n\n", 1, "nothing came on standard input");
    is_refused(&server, b"canary-in-clear-0001\n", 1, "it is no export");
    is_refused(&server, format!("Last login: today\n{text}").as_bytes(), 1, "it is no export");
    is_refused(&server, &[0xff; 100], 1, "it is no export");
    let huge = text.replace("\n-----END", &format!("{}\n-----END", "\nAAAA".repeat(LARGEST / 4)));
    is_refused(&server, huge.as_bytes(), 1, "it is larger than 1 MiB");
    assert_eq!(used(&server), 0);
    // None of that has used it up.
    assert_eq!(import(&server, &[], text.as_bytes()).code, Some(0));
}

#[test]
fn it_is_for_one_node_and_from_a_peer() {
    let nodes = nodes();
    let Nodes { laptop, server } = &nodes;
    let other = Sandbox::new();
    let recipient = other.json(&["identity"]).1["recipient"].as_str().unwrap().to_owned();
    let run = laptop.run(&["export", "--credential", "gateway-token", "--to", &recipient]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let mine = identity(server).recipient().to_string();
    is_refused(
        server,
        run.stdout.as_bytes(),
        1,
        &format!("it is sealed to another node, or was damaged; this one is {mine}"),
    );

    let text = exported(laptop, &[]);
    let signer = identity(laptop).signer().to_string();
    let add = format!("add to its [[peers]]: signer = \"{signer}\"");
    for peers in [
        String::new(),
        peer(&other, "other"),
        // To whom one exports is not whose word one takes.
        format!("[[peers]]\nname = \"laptop\"\nrecipient = \"{}\"\n", identity(laptop).recipient()),
    ] {
        manifest(server, "binary", &peers);
        is_refused(server, text.as_bytes(), 1, &add);
    }
    manifest(server, "binary", &format!("[[peers]]\nname = \"laptop\"\nsigner = \"{signer}\"\n"));
    assert_eq!(import(server, &[], text.as_bytes()).code, Some(0));
    let journal = fs::read_to_string(server.path("state/journal-openclaw.jsonl")).unwrap();
    assert!(journal.contains("it is sealed to another node"), "who tried is known");
}

#[test]
fn it_has_its_time() {
    let nodes = nodes();
    let Nodes { laptop, server } = &nodes;
    let at = now();
    let sealed = |created, expires| nodes.sealed("gateway-token", created, expires).into_bytes();
    is_refused(server, &sealed(at - 900, at - 300), 1, "it was valid until 2");
    is_refused(server, &sealed(at + 600, at + 1200), 1, "which is yet to come");
    is_refused(server, &sealed(at, at + 25 * 3600), 1, "valid for longer than 24 hours");
    is_refused(server, &sealed(at, at), 1, "or not at all");
    // Clocks that are a minute apart.
    for (created, expires) in [(at + 60, at + 660), (at - 660, at - 60)] {
        let run = import(server, &[], &sealed(created, expires));
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    for valid in ["0s", "25h", "soon", "-1m"] {
        let flag = format!("--valid={valid}");
        let run = laptop.run(&[&EXPORT[..], &[flag.as_str()]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{valid}: {run:?}");
    }
    assert_eq!(import(server, &[], exported(laptop, &["--valid", "24h"]).as_bytes()).code, Some(0));
}

#[test]
fn a_credential_that_is_not_here_is_refused() {
    let nodes = nodes();
    let at = now();
    let text = nodes.sealed("internal-auth-secret", at, at + 60);
    let says =
        "it brings `internal-auth-secret`, which this deployment does not have, expected one of `";
    is_refused(&nodes.server, text.as_bytes(), 1, says);
    assert_eq!(used(&nodes.server), 0);
}

#[test]
fn a_policy_that_does_nothing_with_it_is_said_and_does_not_use_it_up() {
    let Nodes { laptop, server } = nodes();
    let text = exported(&laptop, &[]);
    let before = server.home();
    let run = import(&server, &["--policy", "helm"], text.as_bytes());
    assert_eq!((run.code, server.home()), (Some(2), before), "{run:?}");
    let says = "nothing was written: the policy helm says nowhere to put a gateway-token that is handed over";
    assert!(run.stderr.contains(says), "{run:?}");
    // Its no is another.
    fs::write(
        server.config(),
        r#"{"gateway":{"mode":"remote","remote":{"token":"canary-there"}}}"#,
    )
    .unwrap();
    let run = import(&server, &[], text.as_bytes());
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("rotate-elsewhere"), "{run:?}");
    assert_eq!(used(&server), 0);
    fs::write(server.config(), BEFORE).unwrap();
    assert_eq!(import(&server, &[], text.as_bytes()).code, Some(0));
}

#[test]
fn grants_and_an_audit_hold_for_it_too() {
    let Nodes { laptop, server } = nodes();
    let text = exported(&laptop, &[]);
    let before = server.config_text();
    let peers = peer(&laptop, "laptop");
    manifest(&server, "binary", &format!("grants.write = []\n{peers}"));
    let run = import(&server, &[], text.as_bytes());
    assert_eq!((run.code, used(&server)), (Some(1), 0), "{run:?}");
    assert!(run.stdout.contains("breaks the host's rules"), "{run:?}");
    let audited = format!(
        "deployment = {{ preset = \"openclaw\", mode = \"audit\" }}\npolicy.name = \"binary\"\n{peers}"
    );
    fs::write(server.path("home/precedent.toml"), audited).unwrap();
    let run = import(&server, &[], text.as_bytes());
    assert_eq!((run.code, used(&server)), (Some(0), 0), "{run:?}");
    assert!(run.stdout.contains("Audit: nothing was written."), "{run:?}");
    assert_eq!(server.config_text(), before);
}

/// What was begun may have been written in part, for all that anybody knows.
#[test]
fn an_import_that_failed_has_used_it_up() {
    let Nodes { laptop, server } = nodes();
    let text = exported(&laptop, &[]);
    // A gateway that never lets go of its configuration.
    let lock = server.path("home/.openclaw/openclaw.json.lock");
    fs::write(&lock, format!("{{\"pid\":{},\"createdAt\":\"x\"}}", std::process::id())).unwrap();
    is_refused(&server, text.as_bytes(), 3, "is locked by process");
    assert_eq!(used(&server), 1);
    fs::remove_file(&lock).unwrap();
    is_refused(&server, text.as_bytes(), 1, "it was used here before");
    assert_eq!(server.config_text(), BEFORE);
}

#[test]
fn where_it_cannot_be_remembered_it_is_not_used() {
    let Nodes { laptop, server } = nodes();
    let text = exported(&laptop, &[]);
    fs::write(server.path("state/handovers"), "").unwrap();
    is_refused(&server, text.as_bytes(), 3, "it is no folder");
    fs::remove_file(server.path("state/handovers")).unwrap();
    assert_eq!(import(&server, &[], text.as_bytes()).code, Some(0));
}

#[test]
fn of_two_imports_at_once_one_wins() {
    let Nodes { laptop, server } = nodes();
    for _ in 0..3 {
        let text = exported(&laptop, &[]);
        let mut runs: Vec<Run> = std::thread::scope(|scope| {
            let one = || import(&server, &["--wait", "30"], text.as_bytes());
            let (first, second) = (scope.spawn(one), scope.spawn(one));
            vec![first.join().unwrap(), second.join().unwrap()]
        });
        runs.sort_by_key(|run| run.code);
        assert_eq!((runs[0].code, runs[1].code), (Some(0), Some(1)), "{runs:?}");
        assert!(runs[1].stderr.contains("it was used here before"), "{runs:?}");
    }
    assert_eq!(used(&server), 3);
}

#[test]
fn what_is_exported_is_said_by_name() {
    let Nodes { laptop, server } = nodes();
    let refused = |args: &[&str], code: i32, says: &str| {
        let run = laptop.run(args);
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{args:?}: {run:?}");
        assert!(run.stderr.contains(says), "{says:?} in {run:?}");
    };
    refused(&["export", "--to", "server"], 2, "--credential");
    refused(&["export", "--credential", "gateway-token"], 2, "--to");
    let export = |credential, to| ["export", "--credential", credential, "--to", to];
    refused(
        &export("gateway-tokn", "server"),
        2,
        "unknown credential `gateway-tokn`, expected one of",
    );
    for to in
        ["sever", "AGE-SECRET-KEY-1CANARY", "Y2FuYXJ5LXNlZWQtb2YtMzItYnl0ZXMtaW4tYmFzZTY0ISE="]
    {
        let run = laptop.run(&export("gateway-token", to));
        assert!(run.stderr.contains("is neither a peer nor an age recipient"), "{run:?}");
        assert!(!run.stderr.contains(to), "it may be a private key: {run:?}");
    }
    refused(&export("gateway-token", "sever"), 2, "expected one of `server`");
    let recipient = identity(&server).recipient().to_string();
    refused(
        &export("gateway-token", &recipient[..61]),
        2,
        "is neither a peer nor an age recipient",
    );
    refused(
        &export("gateway-password", "server"),
        2,
        "it should be the gateway-password; name a copy with --from; there is none here",
    );
    let from = |location| [&EXPORT[..], &["--from", location]].concat();
    refused(
        &from("config.remote-tokn"),
        2,
        "unknown location `config.remote-tokn`, expected one of",
    );
    refused(&from("config.remote-password"), 2, "unknown location `config.remote-password`");
    refused(&from("config.auth-token"), 1, "gateway.auth.token holds none");
    let copy = exported(&laptop, &["--from", "config.remote-token"]);
    assert_eq!(import(&server, &[], copy.as_bytes()).code, Some(0));
    assert!(server.config_text().contains(crate::support::OLD));

    // What a reference leads to is kept elsewhere, and nobody copies it.
    let reference = r#"{"gateway":{"auth":{"token":"${OPENCLAW_GATEWAY_TOKEN}"}}}"#;
    fs::write(laptop.config(), reference).unwrap();
    refused(&from("config.auth-token"), 1, "a reference stands at gateway.auth.token");
    let signer = identity(&server).signer();
    manifest(&laptop, "helm", &format!("[[peers]]\nname = \"server\"\nsigner = \"{signer}\"\n"));
    refused(&EXPORT, 2, "the manifest has no `recipient` of it");
    fs::remove_file(laptop.path("state/identity")).unwrap();
    refused(&export("gateway-token", &recipient), 2, "run `precedent identity`");
}

#[test]
fn peers_are_checked_at_their_place() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.config(), "{}").unwrap();
    let public = sandbox.json(&["identity"]).1;
    let (recipient, signer) =
        (public["recipient"].as_str().unwrap(), public["signer"].as_str().unwrap());
    let is_wrong = |peers: &str, says: &str| {
        manifest(&sandbox, "helm", peers);
        let run = sandbox.run(&["check"]);
        assert_eq!(run.code, Some(2), "{peers}: {run:?}");
        assert!(run.stderr.contains(says), "{says:?} in {run:?}");
        run
    };
    let peer = |keys: &str| format!("[[peers]]\nname = \"a\"\n{keys}\n");
    is_wrong(&peer(""), "precedent.toml:4:8: peer `a` needs `recipient`, `signer` or both");
    is_wrong(&peer("recipient = \"age1qqqq\""), "precedent.toml:5:13: it is no age recipient");
    let last = if recipient.ends_with('q') { 'p' } else { 'q' };
    let typo = format!("recipient = \"{}{last}\"", &recipient[..61]);
    is_wrong(&peer(&typo), "precedent.toml:5:13: it is no age recipient");
    let mixed_up =
        is_wrong(&peer("recipient = \"AGE-SECRET-KEY-1CANARY\""), "precedent.toml:5:13: it is no");
    assert!(!mixed_up.stderr.contains("CANARY"), "{mixed_up:?}");
    for keys in [
        "recipient = [\"AGE-SECRET-KEY-1CANARY\"]",
        "signer = \"AGE-SECRET-KEY-1CANARY\"",
        "signer = \"CANARY/seed+of+32+bytes\"",
        "signer = [\"CANARY\"]",
        "signer = CANARY",
        "signer = { seed = \"CANARY\" }",
        "signer.seed = \"CANARY\"",
        "secret = \"AGE-SECRET-KEY-1CANARY\"",
    ] {
        let run = is_wrong(&peer(keys), "precedent.toml:5:");
        assert!(!run.stderr.contains("CANARY"), "{run:?}");
    }
    for bad in ["c2hvcnQ=", "no key", &"00".repeat(32)] {
        is_wrong(&peer(&format!("signer = \"{bad}\"")), "precedent.toml:5:10: it is no public key");
    }
    let keys = format!("signer = \"{signer}\"");
    is_wrong(
        &format!("{}{}", peer(&keys), peer(&keys)),
        "precedent.toml:7:8: peer `a` stands twice",
    );
    let twin = peer(&keys).replace("\"a\"", "\"b\"");
    is_wrong(&format!("{}{twin}", peer(&keys)), "precedent.toml:8:10: two peers have this signer");
    is_wrong(&peer(&keys).replace("\"a\"", "\" \""), "precedent.toml:4:8: a peer needs a name");
    is_wrong(&peer("signature = \"x\""), "unknown field `signature`");
    manifest(&sandbox, "helm", &peer(&format!("{keys}\nrecipient = \"{recipient}\"")));
    let run = sandbox.run(&["explain"]);
    assert_eq!(run.code, Some(0), "{run:?}");
}
