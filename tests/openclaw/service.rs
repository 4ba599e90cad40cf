//! A unit that embeds the token, the only copy there is: a release wrote it that did so, and a later
//! one runs from it. Nobody is locked out when the copy goes. There is no systemd; the test starts
//! what the unit says, with the variables that it says and no others.

use std::{fs, process::Command};

use super::installation::{CONFIG_FIRST, Gateway, Installation};
use crate::support::TOKEN;

const EMBEDDED: &str = "canary-embedded";
const UNIT: &str = include_str!("../corpus/units/openclaw-gateway-2026.2.26.service");

#[test]
fn the_token_of_a_unit_outlives_it() {
    let Some(machine) = Installation::new(&CONFIG_FIRST) else { return };
    machine.write(None, None);
    let unit = machine.sandbox.path("home/.config/systemd/user/openclaw-gateway.service");
    fs::create_dir_all(unit.parent().unwrap()).unwrap();
    fs::write(&unit, on(&machine)).unwrap();
    let text = || fs::read_to_string(&unit).unwrap();

    // The service has the token, and the operator's shell has none: as explain says.
    let [server, client] = standing(&machine);
    assert_eq!(server, "unit.gateway-token");
    assert_eq!(client, "");
    let gateway = start(&machine, &text());
    assert!(machine.accepts(EMBEDDED));
    assert!(!machine.health(None).status.success());
    drop(gateway);

    let run = machine.sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!text().contains(TOKEN) && !text().contains("canary-"), "the unit holds nothing");
    let [server, client] = standing(&machine);
    assert_eq!([server.as_str(), client.as_str()], ["config.auth-token"; 2]);

    // Who had the token keeps access, and who had none gets it.
    let gateway = start(&machine, &text());
    assert!(machine.accepts(EMBEDDED));
    assert!(!machine.accepts("canary-wrong"));
    for token in [None, Some(EMBEDDED)] {
        let output = machine.health(token);
        assert!(output.status.success(), "{output:?}");
    }
    drop(gateway);
}

/// The unit as its release would have written it on this machine.
fn on(machine: &Installation) -> String {
    let home = machine.sandbox.path("home").display().to_string();
    let replaced = UNIT
        .replace("cfg-token-cccccccccccccccccccccccc", EMBEDDED)
        .replace("/home/claw", &home)
        .replace("/opt/openclaw", &machine.tools.display().to_string())
        .replace("19612", &machine.port.to_string());
    // Nothing of this test's goes into the network.
    let quiet = "Environment=OPENCLAW_SKIP_CHANNELS=1\nEnvironment=OPENCLAW_DISABLE_BONJOUR=1\n";
    replaced.replace("\n[Install]", &format!("{quiet}\n[Install]"))
}

/// Starts the service as its manager would.
fn start(machine: &Installation, unit: &str) -> Gateway {
    let lines = |key: &'static str| unit.lines().filter_map(move |line| line.strip_prefix(key));
    let mut words = lines("ExecStart=").next().unwrap().split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command
        .args(words)
        .env_clear()
        .envs(lines("Environment=").map(|line| line.split_once('=').unwrap()))
        .current_dir(machine.sandbox.path("home"));
    machine.run(command).unwrap_or_else(|| panic!("{}", machine.output()))
}

/// The location of which the gateway and the command line get the token; empty for none.
fn standing(machine: &Installation) -> [String; 2] {
    let (_, document) = machine.sandbox.json(&["explain", "--phase", "start"]);
    ["gateway", "cli"].map(|name| {
        let mut consumers = document["consumers"].as_array().unwrap().iter();
        let is_it = |one: &&serde_json::Value| {
            one["consumer"] == name && one["credential"] == "gateway-token"
        };
        consumers.find(is_it).unwrap()["today"].as_str().unwrap_or_default().to_owned()
    })
}
