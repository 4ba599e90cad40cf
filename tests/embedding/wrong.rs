//! What an embedding program gets wrong: one clear error each, and nothing written.

use std::fs;

use precedent::{Error, Host, Stage, decide::Limits, model::Phase};

use super::{builder, world};
use crate::support::{Sandbox, hostile};

/// What is wrong, at which stage that is told, and in which words.
#[test]
fn each_in_its_words() {
    let sandbox = Sandbox::stale_remote();
    let home = sandbox.path("home");
    let before = sandbox.home();
    let builder = || Host::builder().world(world(&sandbox));
    let good = "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\n";
    let deep = Limits { stack_bytes: 8 << 20, ..Limits::default() };
    let small = Limits { component_bytes: 10, ..Limits::default() };
    let cases = [
        (
            builder().manifest(home.join("none.toml")),
            Stage::Configure,
            "none.toml: the manifest cannot be read",
        ),
        (builder().manifest(&home), Stage::Configure, "the manifest cannot be read"),
        (
            builder().manifest_text("here.toml", "x = 1"),
            Stage::Configure,
            "here.toml:1:1: unknown field",
        ),
        (builder().manifest_text("here.toml", "policy = {"), Stage::Configure, "here.toml:1:"),
        (builder().manifest_text("here.toml", ""), Stage::Configure, "no policy is named"),
        (
            builder().manifest_text("here.toml", format!("{good}settings.persist = \"all\"")),
            Stage::Decide,
            "refused its settings",
        ),
        (builder().policy("elm"), Stage::Load, "unknown policy `elm`, expected one of"),
        (builder().policy("./none.wasm"), Stage::Load, "none.wasm: No such file"),
        (builder().policy(home.as_path()), Stage::Load, "it is no regular file"),
        (builder().policy(b"garbage"), Stage::Load, "is no WebAssembly component"),
        (builder().policy(&[]), Stage::Load, "is no WebAssembly component"),
        (builder().policy("helm").limits(deep), Stage::Load, "limits.stack-bytes"),
    ];
    for (builder, stage, words) in cases {
        let error = builder.build().unwrap_err();
        assert_eq!(error.stage(), stage, "{error}");
        assert!(error.in_one_line().contains(words), "{} has no `{words}`", error.in_one_line());
    }
    let file = home.join("policy.wasm");
    fs::write(&file, hostile::right()).unwrap();
    let error = builder().policy(file.as_path()).limits(small).build().unwrap_err();
    assert!(error.to_string().contains("limits.component-bytes"), "{error}");
    fs::remove_file(file).unwrap();
    assert_eq!(sandbox.home(), before);
}

/// A policy that does not answer in time is an error of this decision, and recorded; the host is as good as
/// before.
#[test]
fn a_policy_that_is_too_slow() {
    let sandbox = Sandbox::stale_remote();
    let limits = Limits { deadline: std::time::Duration::from_millis(200), ..Limits::default() };
    let slow = hostile::all().into_iter().find(|guest| guest.name == "loop-decide.wat").unwrap();
    let (builder, told) = builder(&sandbox);
    let host = builder.policy(&*slow.component).limits(limits).build().unwrap();
    let before = sandbox.home();
    for _ in 0..2 {
        let error = host.reconcile(Phase::Start).unwrap_err();
        assert!(matches!(error, Error::Decide(_)) && error.is_retryable(), "{error}");
        assert!(error.to_string().contains("limits.deadline-ms"), "{error}");
    }
    assert_eq!(sandbox.home(), before);
    assert_eq!(super::records(&sandbox).len(), 2);
    assert!(told.has("is recorded in"));
}

/// A credential that the deployment does not have is none, and a program that it does not know is named
/// with those that it does.
#[test]
fn names_that_nobody_knows() {
    let sandbox = Sandbox::stale_remote();
    let host = builder(&sandbox).0.build().unwrap();
    let secret = secrecy::SecretString::from("canary-brought-along");
    assert!(host.propose_with(Phase::Rotate, "no-such", secret).unwrap().is_none());
    let proposal = host.propose(Phase::Check).unwrap();
    let error = proposal.resolve("no-such", "gateway-token").unwrap_err().to_string();
    assert!(
        error.contains("no consumer `no-such`") && error.contains("`cli gateway-token`"),
        "{error}"
    );
}
