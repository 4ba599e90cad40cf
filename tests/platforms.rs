//! Places that programs of platforms read and write, by stand-ins that behave as those are documented.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use crate::{
    story::assert_shows,
    support::{NEW, OLD, Run, Sandbox, root},
};

const KEY: &str = "railway/api/INTERNAL_AUTH_SECRET";
/// What lets the laptop and Railway follow.
const FOLLOWING: &str = r#"
[grants]
write = ["railway.internal-auth-secret", "laptop.internal-auth-secret"]
"#;

/// The site of the example: a server, Railway and a laptop that hold the same.
struct Site(Sandbox);

impl Site {
    fn new() -> Self {
        let programs = root().join("tests/fixtures/platforms");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
        let sandbox = Sandbox::with_config(r#"{"gateway":{"auth":{"token":"canary-gateway"}}}"#)
            .without("OPENCLAW_GATEWAY_TOKEN")
            .env("PATH", &path)
            .env("RAILWAY_TOKEN", "a-login");
        let site = Self(sandbox);
        site.write("home/site/.env", &format!("INTERNAL_AUTH_SECRET={NEW}\n"));
        site.write("platforms/laptop/.config/site/internal-auth-secret", &format!("{NEW}\n"));
        site.hold(KEY, NEW);
        let state = site.0.path("platforms").display().to_string();
        site.write("home/.platform-state", &state);
        site.manifest("");
        site
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn hold(&self, place: &str, secret: &str) {
        self.write(&format!("platforms/{place}"), secret);
    }

    fn held(&self, place: &str) -> String {
        fs::read_to_string(self.0.path("platforms").join(place)).unwrap()
    }

    fn log(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.0.path("platforms").join(name)).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }

    fn fault(&self, program: &str, fault: &str) {
        self.hold(&format!("fault-{program}"), fault);
    }

    /// The manifest of the example, with settings in place of those that it has.
    fn manifest(&self, settings: &str) {
        let text = fs::read_to_string(root().join("examples/platforms/precedent.toml")).unwrap();
        let text = match settings {
            "" => text,
            _ => text.replace("# To have places follow:", &format!("{settings}\n#")) + FOLLOWING,
        };
        // So that a program that hangs costs the tests a second.
        let text = text.replace("command = { platform", "command = { seconds = 1, platform");
        self.write("home/precedent.toml", &text);
    }

    fn run(&self, args: &[&str]) -> Run {
        let run = self.0.run(args);
        let calls = self.log("calls.log");
        assert!(
            !calls.iter().any(|line| line.contains("canary-")),
            "a secret is an argument: {calls:?}"
        );
        run
    }
}

/// One that runs what it is told, in the laptop's home.
fn ssh(site: &Site) {
    let home = site.0.path("platforms/laptop");
    let script = format!("#!/bin/sh\nshift\ncd {} && exec sh -c \"$*\"\n", home.display());
    site.write("bin/ssh", &script);
    let ssh = site.0.path("bin/ssh");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
}

fn site() -> Site {
    let mut site = Site::new();
    ssh(&site);
    let path = format!("{}:{}", site.0.path("bin").display(), site.0.variables()["PATH"]);
    site.0.set("PATH", &path);
    site
}

/// The nine hours of the story, in one look: which place it is, which calls fail of it, and which go on.
#[test]
fn a_platform_that_was_forgotten_is_named_with_what_fails_of_it() {
    let site = site();
    assert_eq!(site.run(&["check"]).code, Some(0));
    site.hold(KEY, OLD);
    let run = site.run(&["check"]);
    assert_eq!(run.code, Some(4));
    for words in [
        "degraded, not down",
        "✗ fails app-nudge-evening",
        "✗ fails laptop sync",
        "api on Railway uses INTERNAL_AUTH_SECRET of Railway, which differs from INTERNAL_AUTH_SECRET of the server",
        "✓ goes on sessions_list, skill executions",
        "INTERNAL_AUTH_SECRET of Railway holds another secret; INTERNAL_AUTH_SECRET of the server is right",
    ] {
        assert!(run.stdout.contains(words), "{words}\n{}", run.stdout);
    }
    let (_, document) = site.0.json(&["check"]);
    assert_eq!(document["health"], "degraded");
    assert_eq!(document["calls"][0]["state"], "fails");
    assert_eq!(document["calls"][3]["state"], "works");
}

/// Only reported, until the deployment says that the place follows; and where that starts a service anew,
/// until it says that this may happen.
#[test]
fn a_write_that_starts_a_service_anew_is_made_only_where_that_is_said() {
    let site = site();
    site.hold(KEY, OLD);
    assert!(site.run(&["plan"]).stdout.contains("Nothing to change."));
    site.manifest("sync = [\"railway.internal-auth-secret\"]");
    let run = site.run(&["plan"]);
    assert!(run.stdout.contains("Nothing to change."), "{}", run.stdout);
    let why = "set `restarts = true` if this may happen: Railway deploys the service anew";
    assert!(run.stdout.contains(why), "{}", run.stdout);
    site.manifest("sync = [\"railway.internal-auth-secret\"]\nrestarts = true");
    let run = site.run(&["plan"]);
    assert!(run.stdout.contains("! Railway deploys the service anew"), "{}", run.stdout);
    assert_eq!(site.log("restarts.log"), Vec::<String>::new());
    let run = site.run(&["apply"]);
    assert_eq!((run.code, site.held(KEY).as_str()), (Some(0), NEW), "{run:?}");
    assert_eq!(site.log("restarts.log").len(), 1);
    // It is done.
    assert!(site.run(&["apply"]).stdout.contains("Nothing to change."));
    assert_eq!(site.log("restarts.log").len(), 1);
}

/// What one program does to us is told, shows no secret, and keeps no other from being compared.
#[test]
fn a_program_that_fails_is_told_and_the_rest_goes_on() {
    let faults = [
        ("hang", "gave no answer within 1 s"),
        ("garbage", "prints is no JSON"),
        ("half", "prints is no JSON"),
        ("huge", "prints more than 1 MiB"),
        ("wrong-type", "has a number where a text should be"),
        ("fail", "ended with 1"),
    ];
    for (fault, words) in faults {
        let site = site();
        site.fault("railway", fault);
        site.write("platforms/laptop/.config/site/internal-auth-secret", OLD);
        let begun = Instant::now();
        let run = site.run(&["check"]);
        assert!(begun.elapsed() < Duration::from_secs(20), "{fault}");
        assert_eq!(run.code, Some(4), "{fault}: {run:?}");
        assert!(run.stdout.contains(words), "{fault}: {}", run.stdout);
        assert!(!run.stdout.contains("9f3a"), "{fault}: standard error got out");
        for words in ["? not known app-nudge-evening", "the rest goes on", "✗ fails laptop sync"]
        {
            assert!(run.stdout.contains(words), "{fault}, {words}: {}", run.stdout);
        }
    }
    // One that is slow is waited for, and one without a login says so by its code alone.
    let mut site = site();
    site.fault("railway", "slow 0.3");
    assert_eq!(site.run(&["check"]).code, Some(0));
    site.0.unset("RAILWAY_TOKEN");
    assert!(site.run(&["check"]).stdout.contains("ended with 1"));
    site.0.set("PATH", "/usr/bin:/bin");
    assert!(site.run(&["check"]).stdout.contains("`railway` is not on the PATH"));
}

/// A write that fails leaves the place as it is, its secret stays in, and what else was to be written is.
#[test]
fn a_write_that_fails_stands_for_itself() {
    let site = site();
    site.hold(KEY, OLD);
    site.write("platforms/laptop/.config/site/internal-auth-secret", OLD);
    site.manifest(
        "sync = [\"railway.internal-auth-secret\", \"laptop.internal-auth-secret\"]\nrestarts = true",
    );
    site.fault("railway", "write-fails");
    let run = site.run(&["apply"]);
    assert_eq!((run.code, site.held(KEY).as_str()), (Some(3), OLD), "{run:?}");
    assert!(run.stderr.contains("ended with 1; the new secret is not there"), "{}", run.stderr);
    assert_eq!(site.held("laptop/.config/site/internal-auth-secret"), NEW);
    fs::remove_file(site.0.path("platforms/fault-railway")).unwrap();
    assert_eq!(site.run(&["apply"]).code, Some(0));
    assert_eq!(site.held(KEY), NEW);
}

/// What a platform does not show is not called equal, different or missing.
#[test]
fn what_is_not_shown_is_not_known() {
    let site = site();
    site.hold(&format!("{KEY}.sealed"), "");
    let run = site.run(&["check"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let run = site.run(&["explain"]);
    let words = "whether INTERNAL_AUTH_SECRET of Railway holds the same as INTERNAL_AUTH_SECRET of the server cannot be told";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    assert!(run.stdout.contains("? not known app-nudge-evening"), "{}", run.stdout);
}

/// Every shipped platform, by its stand-in: read, compared, and written where it can be.
#[test]
fn every_platform_is_read_and_written() {
    let platforms: &[(&str, &str, &str, &str)] = &[
        // Platform, its words, where the stand-in has the value, its login.
        ("railway", "key = \"S\"", "railway/S", "RAILWAY_TOKEN"),
        ("heroku", "key = \"S\", app = \"site\"", "heroku/site/S", "HEROKU_API_KEY"),
        ("render", "key = \"S\", service = \"srv-1\"", "render/srv-1/S", "RENDER_API_KEY"),
        (
            "op",
            "vault = \"v\", item = \"i\", field = \"S\"",
            "op/v/i/S",
            "OP_SERVICE_ACCOUNT_TOKEN",
        ),
        ("vault", "mount = \"m\", path = \"p\", key = \"S\"", "vault/m/p/S", "VAULT_TOKEN"),
        ("bao", "mount = \"m\", path = \"p\", key = \"S\"", "bao/m/p/S", "BAO_TOKEN"),
        ("kubectl", "name = \"n\", key = \"S\"", "kubectl/default/n/S", "KUBECONFIG"),
        ("sops", "file = \"f.yaml\", index = '[\"S\"]'", "sops/f.yaml/S", "SOPS_AGE_KEY"),
    ];
    for (platform, with, place, login) in platforms {
        let mut site = Site::new();
        site.0.set(login, "a-login");
        site.hold(place, OLD);
        let manifest = format!(
            "deployment.name = \"one\"\npolicy.name = \"paas\"\n\
             settings = {{ authority = {{ s = \"here.s\" }}, sync = [\"there.s\"], restarts = true }}\n\
             grants.write = [\"there.s\"]\n\
             [[locations]]\nname = \"here.s\"\ncredential = \"s\"\nfile = \"s\"\n\
             [[locations]]\nname = \"there.s\"\ncredential = \"s\"\n\
             command = {{ platform = \"{platform}\", with = {{ {with} }} }}\n\
             [[consumers]]\nname = \"app\"\ncredentials = [\"s\"]\nattributes = {{ reads = \"there.s\" }}\n"
        );
        site.write("home/precedent.toml", &manifest);
        site.write("home/s", NEW);
        let run = site.run(&["apply"]);
        if *platform == "op" {
            assert_eq!(
                (run.code, site.held(place).as_str()),
                (Some(4), OLD),
                "{platform}: {run:?}"
            );
            assert!(run.stdout.contains("cannot be written from here"), "{platform}: {run:?}");
            continue;
        }
        assert_eq!((run.code, site.held(place).as_str()), (Some(0), NEW), "{platform}: {run:?}");
        assert_eq!(site.run(&["check"]).code, Some(0), "{platform}");
    }
}

/// Each mistake in a manifest is told where it stands, with what is possible.
#[test]
fn a_command_that_cannot_be_is_told_where_it_stands() {
    let mistakes = [
        (
            "command = { platform = \"raleway\" }",
            "unknown platform `raleway`, expected one of `bao`",
        ),
        ("command = { platform = \"railway\" }", "`railway` needs `with = { key = \"...\" }`"),
        (
            "command = { platform = \"railway\", with = { key = \"K\", servce = \"api\" } }",
            "unknown word `servce`, expected one of `key`, `service`",
        ),
        ("command = { read = [] }", "a command begins with the name of a program"),
        ("command = {}", "a command has `platform = \"...\"`, or `read = [\"PROGRAM\", ...]`"),
        ("command = { read = [\"x\", \"{who}\"] }", "`{who}` stands for nothing"),
        (
            "command = { read = [\"x\"], write = [\"x\", \"{secret}\"] }",
            "`{secret}` is no word of a command line",
        ),
        ("command = { read = [\"x\"], seconds = 0 }", "1 to 300 are allowed"),
        (
            "command = { read = [\"x\"], input = \"{secret}\" }",
            "`input` is for a command that writes",
        ),
        (
            "command = { platform = \"render\", with = { key = \"../x\", service = \"s\" } }",
            "holds a character that has a meaning there",
        ),
        ("command = { read = [\"x\"], staged = true }", "`staged` needs a platform"),
        ("command = { read = [\"x\"], reed = 1 }", "unknown field `reed`"),
        ("env = \"A\"\ncommand = { read = [\"x\"] }", "exactly one place"),
    ];
    for (place, words) in mistakes {
        let site = Site::new();
        let text = format!(
            "policy.name = \"paas\"\n[[locations]]\nname = \"there.s\"\ncredential = \"s\"\n{place}\n"
        );
        site.write("home/precedent.toml", &text);
        let run = site.run(&["check"]);
        assert_eq!(run.code, Some(2), "{place}: {run:?}");
        assert!(run.stderr.contains(words), "{place}: {}", run.stderr);
        assert!(run.stderr.contains("precedent.toml:"), "{place}: {}", run.stderr);
    }
}

/// docs/platforms.md shows what comes out.
#[test]
fn the_page_shows_what_comes_out() {
    let page = fs::read_to_string(root().join("docs/platforms.md")).unwrap();
    let blocks: Vec<&str> = page.split("```console\n").skip(1).collect();
    let site = site();
    site.hold(KEY, OLD);
    let shows = |block: &str, run: Run| {
        let (command, shown) = block.split("```").next().unwrap().split_once('\n').unwrap();
        assert!(command.starts_with("$ precedent "), "{command}");
        assert_shows(shown, &run.stdout);
    };
    shows(blocks[0], site.run(&["check"]));
    site.manifest("sync = [\"railway.internal-auth-secret\"]\nrestarts = true");
    shows(blocks[1], site.run(&["plan"]));
}

/// For Prometheus: what is wrong, what fails of it, and when it was looked at.
#[test]
fn metrics_tell_what_was_found() {
    let site = site();
    site.hold(KEY, OLD);
    let file = site.0.path("metrics/precedent.prom");
    fs::create_dir(file.parent().unwrap()).unwrap();
    let words = ["check", "--metrics", file.to_str().unwrap()];
    assert_eq!(site.run(&words).code, Some(4));
    let text = fs::read_to_string(&file).unwrap();
    for line in [
        "precedent_in_order{deployment=\"site\"} 0",
        "precedent_drift{deployment=\"site\",consumer=\"api\",credential=\"internal-auth-secret\"} 1",
        "precedent_drift{deployment=\"site\",consumer=\"nudge\",credential=\"internal-auth-secret\"} 0",
        "precedent_call{deployment=\"site\",call=\"app-nudge-evening\"} 0",
        "precedent_call{deployment=\"site\",call=\"skill executions\"} 1",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(text.contains("precedent_checked_timestamp_seconds") && !text.contains("canary-"));
    // A folder that is not there is a warning: what was found is shown all the same.
    let run = site.run(&["check", "--metrics", "nowhere/at.prom"]);
    assert_eq!(run.code, Some(4));
    assert!(run.stderr.contains("cannot write the metrics to nowhere/at.prom"), "{}", run.stderr);
}

/// What only shows a digest gets a new secret by a rotation, and is told apart from nothing else.
#[test]
fn a_rotation_reaches_what_is_not_shown() {
    let mut site = Site::new();
    site.0.set("FLY_API_TOKEN", "a-login");
    site.hold("fly/site/S", OLD);
    let manifest = |grants: &str| {
        format!(
            "deployment.name = \"one\"\npolicy.name = \"paas\"\n\
             settings = {{ authority = {{ s = \"here.s\" }}, sync = [\"there.s\"], restarts = true }}\n\
             [grants]\nwrite = [\"here.s\", \"there.s\"]\n{grants}\n\
             [[locations]]\nname = \"here.s\"\ncredential = \"s\"\nfile = \"s\"\n\
             [[locations]]\nname = \"there.s\"\ncredential = \"s\"\n\
             command = {{ platform = \"fly\", with = {{ key = \"S\", app = \"site\" }} }}\n\
             [[consumers]]\nname = \"app\"\ncredentials = [\"s\"]\nattributes = {{ reads = \"here.s\" }}\n"
        )
    };
    site.write("home/s", OLD);
    site.write("home/precedent.toml", &manifest(""));
    assert!(site.run(&["apply"]).stdout.contains("Nothing to change."));
    let rotate = |site: &Site| {
        let output = site.0.fed(&["rotate", "--credential", "s", "--stdin"], b"canary-brand-new");
        site.0.hear(&output);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, told) = rotate(&site);
    assert_eq!((code, site.held("fly/site/S").as_str()), (Some(1), OLD), "{told}");
    assert!(told.contains("reference-replaced: write there.s"), "{told}");
    site.write("home/precedent.toml", &manifest("replace-references = [\"there.s\"]"));
    let (code, told) = rotate(&site);
    assert_eq!((code, site.held("fly/site/S").as_str()), (Some(0), "canary-brand-new"), "{told}");
    assert_eq!(site.run(&["check"]).code, Some(0));
}

/// A program that leaves another one behind, with its output open, has answered all the same.
#[test]
fn a_program_that_leaves_one_behind_has_answered() {
    let site = site();
    site.fault("railway", "daemon");
    let begun = Instant::now();
    assert_eq!(site.run(&["check"]).code, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// Where a place holds something else by now, it is left alone; and a write that cannot be read back is
/// not believed.
#[test]
fn what_changed_meanwhile_is_left_alone() {
    for (script, words) in [
        // The second look finds another secret than the first.
        (
            "n=$(cat looks 2>/dev/null || echo 0); echo $((n+1)) >looks; [ $n = 0 ] && cat old || cat theirs",
            "changed since it was looked at",
        ),
        ("[ -e written ] && exit 1; cat old", "could not be read"),
    ] {
        let site = Site::new();
        let manifest = format!(
            "deployment.name = \"one\"\npolicy.name = \"paas\"\n\
             settings = {{ authority = {{ s = \"here.s\" }}, sync = [\"there.s\"] }}\n\
             grants.write = [\"there.s\"]\n\
             [[locations]]\nname = \"here.s\"\ncredential = \"s\"\nfile = \"s\"\n\
             [[locations]]\nname = \"there.s\"\ncredential = \"s\"\n\
             command = {{ read = [\"sh\", \"-c\", {script:?}], write = [\"sh\", \"-c\", \"cat >written\"] }}\n\
             [[consumers]]\nname = \"app\"\ncredentials = [\"s\"]\nattributes = {{ reads = \"there.s\" }}\n"
        );
        site.write("home/site/precedent.toml", &manifest);
        site.write("home/site/s", NEW);
        site.write("home/site/old", OLD);
        site.write("home/site/theirs", "canary-theirs");
        // Wherever it is called, commands run beside the manifest.
        let run = site.run(&["apply", "--manifest", "site/precedent.toml"]);
        assert_eq!(run.code, Some(3), "{run:?}");
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        let written = site.0.path("home/site/written").exists();
        assert_eq!(written, words == "could not be read", "{words}");
    }
}
