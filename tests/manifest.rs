//! `precedent.toml`: what it can say, and errors that point.

mod fleet;

use std::fs;

use crate::support::{Sandbox, root};

const HEAD: &str = "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\n";

#[test]
fn errors_point_and_say_what_is_allowed() {
    let cases = [
        ("[polcy]\n", "precedent.toml:3:2: ", "unknown field `polcy`, expected one of"),
        ("[limits]\ndeadline = 3\n", "precedent.toml:4:1: ", "expected one of `deadline-ms`"),
        ("[limits]\ndeadline-ms = \"soon\"\n", "precedent.toml:4:15: ", "invalid type: string"),
        ("[[locations]\n", "precedent.toml:3:", ""),
        (
            "[[consumers]]\nname = \"cli\"\ncredentials = [\"gateway-tokn\"]\n",
            "precedent.toml:5:16: ",
            "unknown credential `gateway-tokn`, expected one of `gateway-token`",
        ),
        (
            "[credentials.gateway-tokn]\ntrim = \"newline\"\n",
            "precedent.toml:3:14: ",
            "unknown credential `gateway-tokn`",
        ),
        (
            "[[facts]]\nname = \"f\"\nenv = \"A\"\n[[facts]]\nname = \"f\"\nenv = \"B\"\n",
            "precedent.toml:7:8: ",
            "fact `f` stands twice",
        ),
        (
            "[grants]\nwrite = [\"config.auth-token\", \"config.auth-tokn\"]\n",
            "precedent.toml:4:31: ",
            "unknown location `config.auth-tokn`, expected one of `env.gateway-token`, ",
        ),
        (
            "[grants]\nset-facts = [\"mode\"]\n",
            "precedent.toml:4:14: ",
            "unknown fact `mode`, expected one of ",
        ),
        (
            "[[locations]]\nname = \"x\"\ncredential = \"c\"\nenv = \"X\"\nfile = \"y\"\n",
            "precedent.toml:4:8: ",
            "location `x` needs exactly one place",
        ),
        (
            "[[documents]]\nname = \"d\"\npath = \"d.json\"\nlock-suffix = \"\"\n",
            "precedent.toml:6:15: ",
            "a lock is another file beside the document",
        ),
        (
            "[[locations]]\nname = \"a@b\"\ncredential = \"gateway-token\"\nenv = \"X\"\n",
            "precedent.toml:4:8: ",
            "holds no `@`",
        ),
        (
            "[[locations]]\nname = \"x\"\ncredential = \"c\"\ndocument = \"conf\"\npointer = \"/a\"\n",
            "precedent.toml:6:12: ",
            "unknown document `conf`, expected one of `working-dotenv`",
        ),
        (
            "[[locations]]\nname = \"x\"\ncredential = \"c\"\ndocument = \"config\"\npointer = \"a.b\"\n",
            "precedent.toml:7:11: ",
            "a pointer begins with `/`",
        ),
        (
            "[[locations]]\nname = \"x\"\ncredential = \"c\"\nargument = [\"/a\", \"b\"]\n",
            "precedent.toml:6:19: ",
            "a pointer begins with `/`",
        ),
        (
            "[[locations]]\nname = \"x\"\ncredential = \"c\"\nargument = [\"/a\"]\nenv = \"X\"\n",
            "precedent.toml:4:8: ",
            "location `x` needs exactly one place",
        ),
        (
            "[[locations]]\nname = \"x\"\ncredential = \"c\"\nenv = \"OPENCLAW_GATEWAY_TOKEN\"\n",
            "precedent.toml:4:8: ",
            "locations `env.gateway-token` and `x` are the same place",
        ),
        (
            "[[consumers]]\nname = \"x\"\ncredentials = []\n",
            "precedent.toml:4:8: ",
            "a consumer reads at least one credential",
        ),
        (
            "[[facts]]\nname = \"leak\"\ndocument = \"config\"\npointer = \"/gateway/auth/token\"\n",
            "precedent.toml:4:8: ",
            "fact `leak` would show a secret",
        ),
        (
            "[[calls]]\nname = \"login\"\nneeds = [\"gateway-token\", \"gateway-tokn\"]\n",
            "precedent.toml:5:27: ",
            "unknown credential `gateway-tokn`",
        ),
        (
            "[[calls]]\nname = \"login\"\nneeds = [\"gateway-token\", \"x\"]\nby = [\"cli\"]\n\
             [[locations]]\nname = \"env.x\"\ncredential = \"x\"\nenv = \"X\"\n\
             [[consumers]]\nname = \"hook\"\ncredentials = [\"x\"]\n",
            "precedent.toml:5:27: ",
            "call `login` needs `x`, which none of its programs reads; add one of `hook` to `by`",
        ),
        (
            "[[calls]]\nname = \"login\"\nneeds = [\"x\"]\n\
             [[locations]]\nname = \"env.x\"\ncredential = \"x\"\nenv = \"X\"\n",
            "precedent.toml:5:10: ",
            "call `login` needs `x`, which none of its programs reads; add [[consumers]] with",
        ),
    ];
    for (text, place, says) in cases {
        let sandbox = Sandbox::stale_remote();
        fs::write(sandbox.path("home/precedent.toml"), format!("{HEAD}{text}")).unwrap();
        let before = sandbox.home();
        let run = sandbox.run(&["apply"]);
        assert_eq!(run.code, Some(2), "{text}: {run:?}");
        assert!(run.stderr.contains(place), "{place} in {}", run.stderr);
        assert!(run.stderr.contains(says), "{says} in {}", run.stderr);
        assert!(run.stderr.contains('^'), "the line is shown: {}", run.stderr);
        assert_eq!(sandbox.home(), before);
    }
}

#[test]
fn presets_and_policies_that_do_not_exist() {
    for (text, says) in [
        (
            "deployment.preset = \"opnclaw\"\npolicy.name = \"helm\"",
            "unknown preset `opnclaw`, expected one of `openclaw`",
        ),
        ("deployment.preset = \"./mine.toml\"\npolicy.name = \"helm\"", "mine.toml"),
        ("deployment.preset = \"openclaw\"", "no policy is named"),
        (
            "deployment.preset = \"openclaw\"\npolicy.name = \"hlem\"",
            "precedent.toml:2:15: unknown policy `hlem`, expected one of `binary`, `helm`",
        ),
        (
            "deployment.preset = \"openclaw\"\npolicy = { name = \"helm\", file = \"x\" }",
            "keep one",
        ),
    ] {
        let sandbox = Sandbox::stale_remote();
        fs::write(sandbox.path("home/precedent.toml"), text).unwrap();
        let run = sandbox.run(&["explain"]);
        assert_eq!(run.code, Some(2), "{text}: {run:?}");
        assert!(run.stderr.contains(says), "{says} in {}", run.stderr);
    }
}

/// A preset of one's own, and a manifest that names it.
fn write_preset(sandbox: &Sandbox, preset: &str) {
    fs::write(sandbox.path("home/mine.toml"), preset).unwrap();
    let manifest = "deployment.preset = \"./mine.toml\"\npolicy.name = \"helm\"\n";
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
}

#[test]
fn a_gateway_of_ones_own_needs_a_preset_and_no_change_of_the_host() {
    let sandbox = Sandbox::new();
    let preset = r#"
        [[declare.documents]]
        name = "settings"
        path = "other.json"
        syntax = "json"

        [[declare.locations]]
        name = "env.gateway-token"
        credential = "gateway-token"
        env = "OTHER_TOKEN"

        [[declare.locations]]
        name = "config.remote-token"
        credential = "gateway-token"
        document = "settings"
        pointer = "/token"

        [[declare.consumers]]
        name = "cli"
        credentials = ["gateway-token"]

        [grants.helm]
        write = ["config.remote-token"]
    "#;
    write_preset(&sandbox, preset);
    fs::write(sandbox.path("home/other.json"), "{\"token\": \"canary-old\"}\n").unwrap();
    let sandbox = sandbox.env("OTHER_TOKEN", "canary-new");
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let text = fs::read_to_string(sandbox.path("home/other.json")).unwrap();
    assert_eq!(text, "{\"token\": \"canary-new\"}\n");
    // JSON is no JSON5: a comment makes this one invalid.
    fs::write(sandbox.path("home/other.json"), "{\"token\": \"canary-x\" /* */}").unwrap();
    assert!(sandbox.run(&["explain"]).stdout.contains("document-invalid"));
}

#[test]
fn no_fact_shows_a_secret_however_it_was_declared() {
    let again = "[[documents]]\nname = \"again\"\npath = \"~/.openclaw/openclaw.json\"\n\
        [[facts]]\nname = \"leak\"\ndocument = \"again\"\npointer = \"/gateway/remote/token\"\n";
    let sandbox = Sandbox::stale_remote();
    fs::write(sandbox.path("home/precedent.toml"), format!("{HEAD}{again}")).unwrap();
    // Every run is searched, and so is the journal, which holds the facts.
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    // A link is no way around it either.
    std::os::unix::fs::symlink(sandbox.config(), sandbox.path("home/link.json")).unwrap();
    let linked = again.replace("~/.openclaw/openclaw.json", "~/link.json");
    fs::write(sandbox.path("home/precedent.toml"), format!("{HEAD}{linked}")).unwrap();
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    let preset = r#"
        [[declare.locations]]
        name = "env.x"
        credential = "x"
        env = "OPENCLAW_GATEWAY_TOKEN"
        [[declare.facts]]
        name = "leak"
        env = "OPENCLAW_GATEWAY_TOKEN"
    "#;
    write_preset(&sandbox, preset);
    let run = sandbox.run(&["explain"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("fact `leak` would show a secret"), "{}", run.stderr);
}

#[test]
fn the_schema_for_editors_is_the_types_own() {
    let path = root().join("docs/precedent.schema.json");
    let written = format!("{:#}\n", precedent::manifest_schema());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &written).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == written,
        "docs/precedent.schema.json is not the types' own: run this test with UPDATE_SCHEMA=1"
    );
}
