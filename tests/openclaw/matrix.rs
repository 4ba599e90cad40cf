//! States of the copies: what explain says of server and command line, and what they really do.
//!
//! Explain prints no secret, so the test knows what stands at each location from the state itself.

use std::{collections::BTreeSet, fs, io::Write};

use serde_json::{Value, json};

use super::installation::{CONFIG_FIRST, Gateway, Installation, Release, VARIABLE_FIRST};
use crate::support::TOKEN;

const ONE: &str = "canary-one";
const TWO: &str = "canary-two";
const THREE: &str = "canary-three";
const WRONG: &str = "canary-wrong";
const PARTIAL: &str = "canary-${MISSING}-text";

#[test]
fn explain_says_what_happens_where_the_variable_comes_first() {
    compare(&VARIABLE_FIRST);
}

#[test]
fn explain_says_what_happens_where_the_configuration_comes_first() {
    compare(&CONFIG_FIRST);
}

/// What stands at `gateway.auth.token`.
#[derive(Clone, Copy)]
enum Auth {
    Nothing,
    Plain(&'static str),
    /// In a file that `gateway.auth` includes.
    Included(&'static str),
    /// `{"source": "env", …}`, to the token's own variable.
    SecretRef,
    /// A text in which variables stand.
    Text(&'static str),
}

/// What the server finds when it starts, and then what clients find beside it.
struct State {
    name: &'static str,
    variable: Option<&'static str>,
    auth: Auth,
    remote: Option<&'static str>,
    /// The variable in the state directory's `.env`.
    dotenv: Option<&'static str>,
    /// The variable in `~/.config/openclaw/gateway.env`.
    gateway_env: Option<&'static str>,
    /// The variable in the `.env` of the working directory.
    working: Option<&'static str>,
    /// The variable in `env.vars` of the configuration.
    vars: Option<&'static str>,
    clients: &'static [Client],
    /// Releases of which explain does not say what happens, with what happens.
    known_difference: &'static [(&'static str, &'static str)],
}

/// The variable of a client's environment, and `gateway.remote.token`, which a server that has
/// another copy does not look at again.
struct Client(Option<&'static str>, Option<&'static str>);

const NOTHING: State = State {
    name: "nothing",
    variable: None,
    auth: Auth::Nothing,
    remote: None,
    dotenv: None,
    gateway_env: None,
    working: None,
    vars: None,
    clients: &[],
    known_difference: &[],
};

const STATES: &[State] = &[
    State {
        name: "the variable; a stale gateway.remote.token",
        variable: Some(ONE),
        remote: Some(TWO),
        clients: &[
            Client(Some(ONE), Some(TWO)),
            Client(None, Some(TWO)),
            Client(Some(ONE), None),
            Client(None, Some(ONE)),
        ],
        ..NOTHING
    },
    State {
        name: "gateway.auth.token; a stale gateway.remote.token",
        auth: Auth::Plain(ONE),
        remote: Some(TWO),
        clients: &[Client(None, Some(TWO)), Client(None, None), Client(Some(TWO), Some(ONE))],
        ..NOTHING
    },
    State {
        name: "only gateway.remote.token",
        remote: Some(ONE),
        clients: &[Client(None, Some(ONE))],
        ..NOTHING
    },
    State {
        name: "all three, and all different",
        variable: Some(ONE),
        auth: Auth::Plain(TWO),
        remote: Some(THREE),
        clients: &[Client(Some(ONE), Some(THREE)), Client(Some(ONE), None)],
        ..NOTHING
    },
    State {
        name: "all three, and all equal",
        variable: Some(ONE),
        auth: Auth::Plain(ONE),
        remote: Some(ONE),
        clients: &[Client(Some(ONE), Some(ONE))],
        ..NOTHING
    },
    State {
        name: "the state directory's .env",
        dotenv: Some(ONE),
        clients: &[Client(None, None), Client(Some(TWO), None)],
        ..NOTHING
    },
    State {
        name: "the variable; a stale .env in the state directory",
        variable: Some(ONE),
        dotenv: Some(TWO),
        clients: &[Client(None, None)],
        ..NOTHING
    },
    State {
        name: "an empty variable before the state directory's .env",
        variable: Some(""),
        dotenv: Some(ONE),
        clients: &[Client(Some(""), None)],
        ..NOTHING
    },
    State {
        name: "gateway.env; a stale .env in the working directory",
        gateway_env: Some(ONE),
        working: Some(TWO),
        clients: &[Client(None, None)],
        ..NOTHING
    },
    State {
        name: "env.vars of the configuration",
        vars: Some(ONE),
        clients: &[Client(None, None)],
        ..NOTHING
    },
    State {
        name: "a SecretRef to the variable; a stale gateway.remote.token",
        variable: Some(ONE),
        auth: Auth::SecretRef,
        remote: Some(TWO),
        clients: &[Client(Some(ONE), Some(TWO)), Client(None, Some(TWO))],
        ..NOTHING
    },
    State {
        name: "${OPENCLAW_GATEWAY_TOKEN}, set by the state directory's .env",
        auth: Auth::Text("${OPENCLAW_GATEWAY_TOKEN}"),
        dotenv: Some(ONE),
        working: Some(TWO),
        clients: &[Client(None, None)],
        ..NOTHING
    },
    State {
        name: "${OPENCLAW_GATEWAY_TOKEN}, set only by the .env of the working directory",
        auth: Auth::Text("${OPENCLAW_GATEWAY_TOKEN}"),
        working: Some(ONE),
        clients: &[Client(None, None)],
        ..NOTHING
    },
    State {
        name: "gateway.auth.token in an included file; a stale variable",
        variable: Some(TWO),
        auth: Auth::Included(ONE),
        clients: &[Client(Some(TWO), None)],
        ..NOTHING
    },
    State {
        name: "a text with a missing variable in it; the variable",
        variable: Some(ONE),
        auth: Auth::Text(PARTIAL),
        clients: &[Client(Some(ONE), None)],
        known_difference: &[(
            "2026.9.6",
            "the server passes such a text over and takes the variable, clients present it as it is; explain, to which it is a reference of a kind that it does not know, takes it for the secret of both",
        )],
        ..NOTHING
    },
];

impl State {
    /// What stands at a location, or what it leads to.
    fn at(&self, location: &str, client: &Client) -> Option<&'static str> {
        let Client(variable, remote) = *client;
        match location {
            "env.gateway-token" => variable,
            "config.auth-token" => match self.auth {
                Auth::Nothing => None,
                Auth::Plain(token) | Auth::Included(token) => Some(token),
                Auth::Text(PARTIAL) => Some(PARTIAL),
                Auth::SecretRef | Auth::Text(_) => {
                    variable.or(self.dotenv).or(self.gateway_env).or(self.vars)
                }
            },
            "config.remote-token" => remote,
            "dotenv.gateway-token" => self.dotenv,
            "gateway-env.gateway-token" => self.gateway_env,
            "working-dotenv.gateway-token" => self.working,
            "config.env-vars-token" => self.vars,
            other => panic!("{}: {other} is none of this state's places", self.name),
        }
    }

    /// The token that a program gets.
    fn value(&self, said: &Said, found: &Client) -> Option<&'static str> {
        let location = said.today.as_ref().filter(|_| said.standing == "copy")?;
        self.at(location, found)
    }

    /// Every token of the state, and one that is none of them.
    fn candidates(&self) -> BTreeSet<&'static str> {
        let auth = match self.auth {
            Auth::Plain(text) | Auth::Included(text) | Auth::Text(text) => Some(text),
            Auth::Nothing | Auth::SecretRef => None,
        };
        let places = [
            self.variable,
            auth,
            self.remote,
            self.dotenv,
            self.gateway_env,
            self.working,
            self.vars,
        ];
        let clients = self.clients.iter().flat_map(|Client(variable, remote)| [*variable, *remote]);
        let all = places.into_iter().chain(clients).flatten().filter(|text| !text.is_empty());
        all.chain([WRONG]).collect()
    }

    fn write(&self, machine: &Installation) {
        let folder = machine.sandbox.path("home/.openclaw");
        let variable = |path: &str, value: Option<&str>| {
            let Some(value) = value else { return };
            let path = machine.sandbox.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{TOKEN}={value}\n")).unwrap();
        };
        variable("home/.openclaw/.env", self.dotenv);
        variable("home/.config/openclaw/gateway.env", self.gateway_env);
        variable("home/.env", self.working);
        if let Auth::Included(token) = self.auth {
            fs::write(folder.join("auth.json"), json!({"token": token}).to_string()).unwrap();
        }
        self.write_config(machine, self.remote);
    }

    fn write_config(&self, machine: &Installation, remote: Option<&str>) {
        let auth = match self.auth {
            Auth::Nothing => None,
            Auth::Plain(text) | Auth::Text(text) => Some(json!({"token": text})),
            Auth::Included(_) => Some(json!({"$include": "./auth.json"})),
            Auth::SecretRef => {
                Some(json!({"token": {"source": "env", "provider": "default", "id": TOKEN}}))
            }
        };
        machine.write_config(auth, remote, self.vars);
    }
}

/// What explain says that a program gets.
#[derive(Debug)]
struct Said {
    standing: String,
    today: Option<String>,
}

fn explain(machine: &mut Installation, token: Option<&str>, release: &Release) -> [Said; 2] {
    machine.set_token(token);
    let (_, document) = machine.sandbox.json(&["explain", "--phase", "start"]);
    let codes: Vec<&Value> =
        document["findings"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    assert!(!codes.contains(&&json!("version-unknown")), "{} is found", release.version);
    ["gateway", "cli"].map(|name| {
        let is_it = |one: &&Value| one["consumer"] == name && one["credential"] == "gateway-token";
        let said = document["consumers"].as_array().unwrap().iter().find(is_it).unwrap();
        Said {
            standing: said["standing"].as_str().unwrap().to_owned(),
            today: said["today"].as_str().map(ToOwned::to_owned),
        }
    })
}

fn compare(release: &'static Release) {
    let Some(mut machine) = Installation::new(release) else { return };
    let mut contradictions = Vec::new();
    for state in STATES {
        let difference =
            state.known_difference.iter().find(|(version, _)| *version == release.version);
        if let Some((version, what)) = difference {
            let name = state.name;
            let _ =
                writeln!(std::io::stderr().lock(), "known difference: {version}, {name}: {what}");
            continue;
        }
        machine.start_over();
        state.write(&machine);
        let mut tell = |what: String| contradictions.push(format!("{}: {what}", state.name));
        let as_server = Client(state.variable, state.remote);
        let [server, _] = explain(&mut machine, state.variable, release);
        let gateway = machine.try_start(state.variable);
        let serves = serves(state, &server, &as_server, &machine, gateway.as_ref(), &mut tell);
        if gateway.is_some() {
            for client in state.clients {
                let pairs = release.pairs_own_command_line && server.standing == "generated";
                let server = Server { takes: serves, pairs };
                calls(state, client, &server, &mut machine, release, &mut tell);
            }
        }
    }
    assert!(contradictions.is_empty(), "{}:\n{}", release.version, contradictions.join("\n"));
}

/// Compares the server with what explain says of it, and gives back the token that it takes.
fn serves(
    state: &State,
    said: &Said,
    found: &Client,
    machine: &Installation,
    gateway: Option<&Gateway>,
    tell: &mut impl FnMut(String),
) -> Option<&'static str> {
    let expected = state.value(said, found);
    if said.standing == "copy" && expected.is_none() {
        tell(format!("{said:?}, but nothing stands there"));
    }
    if gateway.is_none() {
        if !matches!(said.standing.as_str(), "invalid" | "unresolved") {
            tell(format!("{said:?}, but the server refuses to start: {}", machine.output()));
        }
        return None;
    }
    if said.standing == "invalid" {
        tell(format!("{said:?}, but the server starts"));
    }
    let mut serves = None;
    for token in state.candidates() {
        let accepted = machine.accepts(token);
        if accepted != (expected == Some(token)) {
            tell(format!("{said:?}, but the server's answer to {token} is {accepted}"));
        }
        serves = serves.or(accepted.then_some(token));
    }
    serves
}

/// A server that runs.
struct Server {
    takes: Option<&'static str>,
    /// Whether it has paired the command line with itself, which is then let in without a secret.
    pairs: bool,
}

/// Compares a call of the command line with what explain says of it.
fn calls(
    state: &State,
    client: &Client,
    server: &Server,
    machine: &mut Installation,
    release: &Release,
    tell: &mut impl FnMut(String),
) {
    let Client(variable, remote) = *client;
    state.write_config(machine, remote);
    let [_, said] = explain(machine, variable, release);
    let presents = state.value(&said, client);
    let expected = match presents {
        Some(token) => server.takes == Some(token),
        None => server.pairs && said.standing == "nothing",
    };
    let output = machine.health(variable);
    if output.status.success() != expected {
        tell(format!(
            "with {variable:?} and {remote:?}: {said:?}, the server takes {:?}, but the call ends with {}: {}",
            server.takes,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
}
