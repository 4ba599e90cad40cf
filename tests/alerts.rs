//! Alerts of `precedent check`: each problem is told once, and so is its end.

mod server;

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};

use serde_json::Value;

use self::server::{Asked, Server, nobody};
use crate::support::{OLD, Sandbox, TOKEN};

/// A program goes by the file alone, and the file is old.
const DRIFT: &str = r#"
deployment = { preset = "openclaw" }
policy.name = "helm"
grants.write = ["config.auth-token", "config.remote-token"]
[[consumers]]
name = "approval-hook"
credentials = ["gateway-token"]
attributes = { program = "cli", environment = "none" }
"#;

const SLACK: &str = "[[alerts]]\nname = \"ops\"\nkind = \"slack\"\nurl = { env = \"ALERT_URL\" }\n";

/// The words for it.
const SENTENCE: &str = "approval-hook uses the gateway-token at gateway.remote.token; it should use the one at OPENCLAW_GATEWAY_TOKEN";

/// An installation that drifts, with alerts.
fn drifting(alerts: &str, url: &str) -> Sandbox {
    let mut sandbox = Sandbox::stale_remote();
    fs::write(sandbox.path("home/precedent.toml"), format!("{DRIFT}{alerts}")).unwrap();
    sandbox.set("ALERT_URL", url);
    sandbox
}

fn drift_again(sandbox: &Sandbox) {
    fs::write(sandbox.config(), format!(r#"{{"gateway":{{"remote":{{"token":"{OLD}"}}}}}}"#))
        .unwrap();
}

/// What a webhook was told.
fn text_of(asked: &Asked) -> String {
    let document: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(document.as_object().unwrap().len(), 1, "{document}");
    document["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_drift_is_told_once_with_its_place_and_so_is_its_end() {
    let server = Server::new();
    let sandbox = drifting(SLACK, &server.url());
    let run = sandbox.run(&["check"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(4), ""), "{run:?}");
    let asked = server.one();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/canary-hook"));
    assert_eq!(asked.headers["content-type"], "application/json");
    let text = text_of(&asked);
    assert!(text.starts_with("openclaw: 1 problem\n"), "{text}");
    assert!(text.contains(&format!("\n- {SENTENCE}\n")), "{text}");
    assert!(text.ends_with("\nTo repair: precedent apply"), "{text}");
    assert!(!text.contains("canary-") && !text.contains('#'), "{text}");
    // Neither the same once more, nor a look.
    for words in [&["check"] as &[_], &["check", "--quiet"], &["plan", "--check"]] {
        assert_eq!(sandbox.run(words).code, Some(4));
    }
    assert_eq!(server.asked().len(), 0);
    let kept = sandbox.path("state/alerts-openclaw.json");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    let told: Value = serde_json::from_str(&fs::read_to_string(&kept).unwrap()).unwrap();
    assert_eq!(told["schema"], "precedent.alerts/1");
    assert_eq!(told["alerts"]["ops"]["problems"][0], "drift:approval-hook:gateway-token");

    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let run = sandbox.run(&["check", "--quiet"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
    let text = text_of(&server.one());
    assert!(text.starts_with("openclaw: in order again, after less than a minute\n"), "{text}");
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
    assert_eq!(server.asked().len(), 0);

    drift_again(&sandbox);
    assert_eq!(sandbox.run(&["check"]).code, Some(4));
    assert!(text_of(&server.one()).contains(SENTENCE), "it is back");
}

#[test]
fn what_is_new_is_told_with_all_that_is_wrong() {
    let server = Server::new();
    let sandbox = drifting(SLACK, &server.url());
    sandbox.run(&["check"]);
    server.one();
    let other =
        DRIFT.split("[[consumers]]").nth(1).unwrap().replace("approval-hook", "deploy-hook");
    let manifest = format!("{DRIFT}[[consumers]]{other}{SLACK}");
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
    assert_eq!(sandbox.run(&["check"]).code, Some(4));
    let text = text_of(&server.one());
    assert!(text.starts_with("openclaw: 2 problems\n"), "{text}");
    assert!(text.contains(&format!("\n- {SENTENCE}\n")), "{text}");
    assert!(text.contains("\n- new: deploy-hook uses the gateway-token at "), "{text}");
    // One of the two is over: there is nothing that anybody must be told.
    fs::write(sandbox.path("home/precedent.toml"), format!("{DRIFT}{SLACK}")).unwrap();
    assert_eq!(sandbox.run(&["check"]).code, Some(4));
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_server_that_stumbles_is_asked_again() {
    let server = Server::answering(&["500 Oops", "429 Slower"]);
    let sandbox = drifting(SLACK, &server.url());
    let run = sandbox.run(&["check"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(4), ""), "{run:?}");
    let asked = server.asked();
    assert_eq!(asked.len(), 3, "two that failed, and one that did not");
    assert!(asked.iter().all(|one| one.body == asked[0].body));
    sandbox.run(&["check"]);
    assert_eq!(server.asked().len(), 0, "it was delivered");
}

#[test]
fn what_is_not_delivered_is_a_warning_and_told_next_time() {
    let mut sandbox = drifting(SLACK, &nobody());
    let run = sandbox.run(&["check"]);
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(run.stderr.contains("warning: alert `ops` is not delivered: no connection"), "{run:?}");
    assert!(!run.stderr.contains("127.0.0.1"), "{run:?}");

    let elsewhere = Server::new();
    let leads = format!("302 Found\r\nlocation: {}", elsewhere.url());
    for (answer, says) in [
        ("404 Not Found", "answered with 404"),
        ("403 Forbidden", "answered with 403"),
        (leads.as_str(), "a redirect, which is not followed"),
    ] {
        let server = Server::answering(&[answer]);
        sandbox.set("ALERT_URL", &server.url());
        let run = sandbox.run(&["check"]);
        assert_eq!(run.code, Some(4), "{run:?}");
        assert!(run.stderr.contains(says), "{says} in {run:?}");
        assert_eq!(server.asked().len(), 1, "another try would not help");
    }
    assert_eq!(elsewhere.asked().len(), 0);

    for (url, says) in [
        ("", "the variable ALERT_URL is empty"),
        ("canary-no-url", "the variable ALERT_URL holds no URL"),
        ("http://127.0.0.1:1/canary hook", "the variable ALERT_URL holds no URL"),
    ] {
        sandbox.set("ALERT_URL", url);
        let run = sandbox.run(&["check"]);
        assert_eq!(run.code, Some(4), "{run:?}");
        assert!(run.stderr.contains(says), "{says} in {run:?}");
    }
    sandbox.unset("ALERT_URL");
    assert!(sandbox.run(&["check"]).stderr.contains("the variable ALERT_URL is not set"));

    let server = Server::new();
    sandbox.set("ALERT_URL", &server.url());
    let run = sandbox.run(&["check"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(4), ""), "{run:?}");
    assert!(text_of(&server.one()).contains(SENTENCE));

    // An end that could not be told is told next time too.
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    sandbox.set("ALERT_URL", "");
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
    sandbox.set("ALERT_URL", &server.url());
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
    assert!(text_of(&server.one()).contains("in order again"));
}

#[test]
fn an_end_of_what_nobody_was_told_is_not_told() {
    let mut sandbox = drifting(SLACK, "");
    assert_eq!(sandbox.run(&["check"]).code, Some(4));
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let server = Server::new();
    sandbox.set("ALERT_URL", &server.url());
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_ping_hears_of_every_check() {
    let server = Server::new();
    let ping = SLACK.replace("slack", "ping");
    let sandbox = drifting(&ping, &server.url());
    for _ in 0..2 {
        assert_eq!(sandbox.run(&["check", "--quiet"]).code, Some(4));
        let asked = server.one();
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/canary-hook/fail"));
        assert!(asked.body.contains(SENTENCE), "{}", asked.body);
    }
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    for _ in 0..2 {
        assert_eq!(sandbox.run(&["check", "--quiet"]).code, Some(0));
        let asked = server.one();
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/canary-hook"));
    }
    assert!(!sandbox.path("state/alerts-openclaw.json").exists(), "nothing is to be remembered");
}

#[test]
fn ntfy_is_told_how_urgent_it_is() {
    let server = Server::new();
    let ntfy = r#"
[[alerts]]
name = "phone"
kind = "ntfy"
url = { file = "topic" }
token = { env = "NTFY_TOKEN" }
"#;
    let mut sandbox = drifting(ntfy, "");
    sandbox.set("NTFY_TOKEN", "canary-bearer");
    // As an editor leaves it.
    fs::write(sandbox.path("home/topic"), format!("{}\n", server.url())).unwrap();
    let run = sandbox.run(&["check"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(4), ""), "{run:?}");
    let asked = server.one();
    let header = |name: &str| asked.headers[name].as_str();
    assert_eq!(header("authorization"), "Bearer canary-bearer");
    assert_eq!(header("title"), "openclaw: 1 problem");
    assert_eq!((header("priority"), header("tags")), ("high", "rotating_light"));
    assert!(asked.body.starts_with(&format!("- {SENTENCE}\n")), "{}", asked.body);

    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
    let asked = server.one();
    let header = |name: &str| asked.headers[name].as_str();
    assert_eq!((header("priority"), header("tags")), ("default", "white_check_mark"));
    assert!(header("title").contains("in order again"), "{asked:?}");
}

#[test]
fn a_command_reads_the_alert_as_json() {
    let script = "cat >../told.json; env >../given; echo canary-said; echo canary-said >&2";
    let command = format!(
        "[[alerts]]\nname = \"own\"\nkind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\nleast = \"warning\"\npass-env = [\"PAGER_KEY\"]\n"
    );
    let mut sandbox = drifting(&command, "canary-url");
    sandbox.set("RAILWAY_TOKEN", "canary-login");
    sandbox.set("PAGER_KEY", "of-the-pager");
    let told = || -> Value {
        serde_json::from_str(&fs::read_to_string(sandbox.path("told.json")).unwrap()).unwrap()
    };
    let run = sandbox.run(&["check"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(4), ""), "{run:?}");
    let first = told();
    assert_eq!(first["schema"], "precedent.alert/1");
    assert_eq!((&first["deployment"], &first["event"]), (&"openclaw".into(), &"problem".into()));
    assert_eq!(first["severity"], "error");
    assert!(first["calls"].is_array() && first["since"].as_u64().unwrap() > 0, "{first}");
    let problems = first["problems"].as_array().unwrap();
    let drift = problems.iter().find(|one| one["key"] == "drift:approval-hook:gateway-token");
    let drift = drift.unwrap_or_else(|| panic!("{first}"));
    assert_eq!((&drift["message"], &drift["new"]), (&SENTENCE.into(), &true.into()));
    let rotated =
        problems.iter().find(|one| one["key"] == "finding:token-rotated:config.remote-token");
    assert_eq!(rotated.unwrap_or_else(|| panic!("{first}"))["severity"], "warning");
    // A program of the operator's is none that reads the gateway's secrets, or logs in at platforms.
    let given = fs::read_to_string(sandbox.path("given")).unwrap();
    assert!(given.contains("HOME=") && given.contains("PAGER_KEY=of-the-pager\n"), "{given}");
    assert!(!given.contains(TOKEN) && !given.contains("canary-"), "{given}");

    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
    let last = told();
    assert_eq!((&last["event"], &last["severity"]), (&"recovered".into(), &"info".into()));
    assert_eq!((&last["since"], &last["problems"]), (&first["since"], &Value::Array(vec![])));
}

#[test]
fn a_command_that_fails_is_tried_by_the_next_check() {
    let command = |program: &str| {
        format!("[[alerts]]\nname = \"own\"\nkind = \"command\"\ncommand = [{program}]\n")
    };
    let sandbox = drifting(&command("\"/bin/sh\", \"-c\", \"exit 3\""), "");
    let run = sandbox.run(&["check"]);
    assert_eq!(run.code, Some(4));
    assert!(run.stderr.contains("its program ended with exit status: 3"), "{run:?}");
    let manifest = |alerts: &str| {
        fs::write(sandbox.path("home/precedent.toml"), format!("{DRIFT}{alerts}")).unwrap();
    };
    manifest(&command("\"./not-there\""));
    assert!(sandbox.run(&["check"]).stderr.contains("its program is not there"));
    manifest(&command("\"./own\""));
    fs::write(sandbox.path("home/own"), "#!/bin/sh\necho told >>../told\n").unwrap();
    fs::set_permissions(sandbox.path("home/own"), fs::Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        let run = sandbox.run(&["check"]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(4), ""), "{run:?}");
    }
    assert_eq!(fs::read_to_string(sandbox.path("told")).unwrap(), "told\n");
}

#[test]
fn of_two_checks_at_once_one_tells() {
    let server = Server::new();
    let sandbox = drifting(SLACK, &server.url());
    // So that neither has to compile the policy.
    assert_eq!(sandbox.run(&["check", "--no-alerts"]).code, Some(4));
    assert_eq!(server.asked().len(), 0, "it only looked");
    server.hold();
    let mut command = sandbox.command();
    let first = command.arg("check").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.is_asked();
    let second = sandbox.run(&["check"]);
    assert_eq!((second.code, second.stderr.as_str()), (Some(4), ""), "{second:?}");
    server.release();
    let first = first.wait_with_output().unwrap();
    sandbox.hear(&first);
    assert_eq!(first.status.code(), Some(4));
    server.one();
    sandbox.run(&["check"]);
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_check_that_cannot_be_made_is_told_and_what_drifts_is_not_told_anew() {
    let server = Server::new();
    let sandbox = drifting(SLACK, &server.url());
    sandbox.run(&["check"]);
    server.one();
    for _ in 0..2 {
        assert_eq!(sandbox.run(&["check", "--policy", "./missing.wasm"]).code, Some(3));
    }
    let text = text_of(&server.one());
    assert!(text.starts_with("openclaw: 1 problem\n- the check could not be made: "), "{text}");
    assert!(text.contains("missing.wasm"), "{text}");
    assert_eq!(sandbox.run(&["check"]).code, Some(4));
    assert_eq!(server.asked().len(), 0, "it lasted all the while");
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
    assert!(text_of(&server.one()).contains("in order again"));
}

#[test]
fn what_is_kept_and_damaged_is_put_aside() {
    let server = Server::new();
    let sandbox = drifting(SLACK, &server.url());
    let kept = sandbox.path("state/alerts-openclaw.json");
    for damaged in ["{", "", r#"{"schema":"precedent.alerts/99","alerts":{}}"#] {
        sandbox.run(&["check"]);
        server.asked();
        fs::write(&kept, damaged).unwrap();
        let run = sandbox.run(&["check"]);
        assert_eq!(run.code, Some(4), "{run:?}");
        assert!(run.stderr.contains("it is put aside as "), "{run:?}");
        let aside = sandbox.path("state/alerts-openclaw.json.damaged");
        assert_eq!(fs::read_to_string(aside).unwrap(), damaged);
        assert!(text_of(&server.one()).contains(SENTENCE), "rather twice than never");
        sandbox.run(&["check"]);
        assert_eq!(server.asked().len(), 0);
    }
}

#[test]
fn mistakes_in_the_manifest_point_and_show_no_secret() {
    let head = "[[alerts]]\nname = \"ops\"\n";
    let secret = "\"https://hooks.example/canary-clear\"";
    let clear = format!("url = {secret}\n");
    let cases = [
        (format!("kind = \"slack\"\n{clear}"), ":12:7: ", "has a secret in clear"),
        (
            "kind = \"ntfy\"\nurl = { env = \"U\" }\ntoken = \"canary-token\"\n".to_owned(),
            ":13:9: ",
            "has a secret in clear",
        ),
        (
            "kind = \"slak\"\n".to_owned(),
            ":11:8: ",
            "expected one of `slack`, `ntfy`, `ping`, `command`",
        ),
        ("kind = \"slack\"\n".to_owned(), ":10:8: ", "needs `url = { env = \"NAME\" }`"),
        (
            "kind = \"slack\"\nurl = { evn = \"U\" }\n".to_owned(),
            ":12:7: ",
            "from one place: `{ env = \"NAME\" }`, or `{ file = \"path\" }`",
        ),
        (format!("kind = \"slack\"\nurl = {{ value = {secret} }}\n"), ":12:7: ", "from one place"),
        (format!("kind = \"slack\"\nurl = {{ {secret} = \"x\" }}\n"), ":12:7: ", "from one place"),
        (format!("kind = \"slack\"\nurl = [{secret}]\n"), ":12:7: ", "from one place"),
        ("kind = \"slack\"\nurl.value = \"canary-value\"\n".to_owned(), ":12:", "from one place"),
        (
            format!("kind = \"slack\"\nurl = {{ env = {secret} }}\n"),
            ":12:7: ",
            "has a secret in clear",
        ),
        (
            format!("kind = \"slack\"\nurl = {{ file = {secret} }}\n"),
            ":12:7: ",
            "has a secret in clear",
        ),
        (
            "kind = \"ntfy\"\nurl = { env = \"U\" }\ntoken = [\"canary-token\"]\n".to_owned(),
            ":13:9: ",
            "from one place",
        ),
        ("kind = \"ntfy\"\ntoken = canary-token\n".to_owned(), "precedent.toml:12:", ""),
        (format!("kind = \"slack\"\nwebhook = {secret}\n"), ":12:1: ", "unknown field `webhook`"),
        (
            "kind = \"ping\"\nurl = { env = \"U\" }\npass-env = [\"A\"]\n".to_owned(),
            ":13:13: ",
            "only a command is given variables",
        ),
        (
            "kind = \"slack\"\nurl = { env = \"U\", file = \"f\" }\n".to_owned(),
            ":12:7: ",
            "from one place",
        ),
        (
            "kind = \"ping\"\nurl = { env = \"U\" }\ntoken = { env = \"T\" }\n".to_owned(),
            ":10:8: ",
            "neither `command` nor `token`",
        ),
        ("kind = \"command\"\ncommand = []\n".to_owned(), ":12:11: ", "a command names a program"),
        (
            "kind = \"command\"\nurl = { env = \"U\" }\n".to_owned(),
            ":10:8: ",
            "it needs `command = [\"prog\"]`",
        ),
        (
            "kind = \"slack\"\nurl = { env = \"U\" }\nleast = \"info\"\n".to_owned(),
            ":13:9: ",
            "expected `warning` or `error`",
        ),
        (
            "kind = \"slack\"\nurl = { env = \"U\" }\nrepeat-hours = 0\n".to_owned(),
            ":13:16: ",
            "1 to 8784 are allowed",
        ),
        (
            "kind = \"ping\"\nurl = { env = \"U\" }\nrepeat-hours = 6\n".to_owned(),
            ":13:16: ",
            "a ping is sent at every check",
        ),
        (
            format!("kind = \"slack\"\nurl = {{ env = \"U\" }}\n{SLACK}"),
            ":14:8: ",
            "alert `ops` stands twice",
        ),
    ];
    for (text, at, says) in cases {
        let sandbox = drifting(&format!("{head}{text}"), "");
        let run = sandbox.run(&["check"]);
        assert_eq!(run.code, Some(2), "{text}: {run:?}");
        assert!(run.stderr.contains(at), "{at} in {}", run.stderr);
        assert!(run.stderr.contains(says), "{says} in {}", run.stderr);
        assert!(!run.stderr.contains("canary-"), "{}", run.stderr);
    }
}

/// OTLP over HTTP as JSON, with the headers that the standard's variable names.
#[test]
fn what_was_found_goes_to_a_collector_of_opentelemetry() {
    let server = Server::new();
    let mut sandbox = drifting("", "");
    sandbox.set(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "x-tenant=canary-tenant,Authorization=Basic%20canary%3D,x-share=100%",
    );
    let endpoint = server.url();
    assert_eq!(sandbox.run(&["check", "--otlp", &endpoint]).code, Some(4));
    let asked = server.one();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/canary-hook/v1/metrics"));
    assert_eq!(asked.headers["x-tenant"], "canary-tenant");
    assert_eq!(asked.headers["authorization"], "Basic canary=", "as the standard has it written");
    assert_eq!(asked.headers["x-share"], "100%", "what is no code stays");
    let document: Value = serde_json::from_str(&asked.body).unwrap();
    let resource = &document["resourceMetrics"][0];
    assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "precedent");
    let metrics = resource["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let named = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap();
    let point = &named("precedent.in_order")["gauge"]["dataPoints"][0];
    assert_eq!(point["asInt"], "0", "{point}");
    let drift = named("precedent.drift")["gauge"]["dataPoints"].as_array().unwrap();
    assert!(drift.iter().any(|point| point["asInt"] == "1"), "{drift:?}");
    sandbox.set("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=canary%FF");
    let run = sandbox.run(&["check", "--otlp", &endpoint]);
    assert_eq!((run.code, server.asked().len()), (Some(4), 0), "{run:?}");
    assert!(run.stderr.contains("is not UTF-8 once it is decoded"), "{}", run.stderr);
    // Nobody there: a warning, which names neither the address nor a header.
    sandbox.unset("OTEL_EXPORTER_OTLP_HEADERS");
    let run = sandbox.run(&["check", "--otlp", &nobody()]);
    assert_eq!(run.code, Some(4));
    assert!(run.stderr.contains("the metrics are not delivered: no connection"), "{}", run.stderr);
}
