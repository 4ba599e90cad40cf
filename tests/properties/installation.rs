//! Any small installation.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

const TOKEN: &str = "OPENCLAW_GATEWAY_TOKEN";
const PASSWORD: &str = "OPENCLAW_GATEWAY_PASSWORD";

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Held {
    Absent,
    Empty,
    Placeholder,
    /// One of the secrets.
    Secret(usize),
    /// An object that names the variable.
    Object,
    /// A text that names the variable.
    Text,
}

/// Secrets, no two of them equal.
#[derive(Debug, Clone)]
pub(super) struct Secrets([String; 3]);

impl Default for Secrets {
    fn default() -> Self {
        Self(["canary-alpha", "canary-beta", "canary-gamma"].map(ToOwned::to_owned))
    }
}

impl Secrets {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let text = || prop::collection::vec(prop::sample::select(SAFE.to_vec()), 1..24);
        prop::array::uniform3(text()).prop_map(|parts| {
            let mut index = 0;
            Self(parts.map(|part| {
                index += 1;
                format!("canary-{index}{}", part.into_iter().map(char::from).collect::<String>())
            }))
        })
    }
}

/// What every kind of file can hold as it is.
const SAFE: &[u8] = b"abcXYZ0189-_.~+/=:";

/// A configuration, the files of variables, the units, and the environment.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    variable: Held,
    password: Held,
    auth: Held,
    remote: Held,
    auth_password: Held,
    in_env: Held,
    dotenv: Option<Held>,
    gateway_env: Option<Held>,
    unit: Option<Held>,
    node_unit: Option<Held>,
    mode: Option<&'static str>,
    auth_mode: Option<&'static str>,
    version: Option<&'static str>,
    layout: Layout,
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    OneLine,
    Lines,
    Comments,
}

fn held() -> impl Strategy<Value = Held> {
    prop_oneof![
        // Where too much is amiss, a policy rightly leaves it alone.
        8 => Just(Held::Absent),
        1 => Just(Held::Empty),
        1 => Just(Held::Placeholder),
        20 => (0..3_usize).prop_map(Held::Secret),
        1 => Just(Held::Object),
        1 => Just(Held::Text),
    ]
}

impl Installation {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let maybe = || prop::option::weighted(0.4, held());
        let passwords =
            || prop_oneof![9 => Just(Held::Absent), 1 => (0..3_usize).prop_map(Held::Secret)];
        // What a configuration sets for all wins over much, so that it is rare.
        let in_env = prop_oneof![4 => Just(Held::Absent), 1 => held()];
        let config = (held(), held(), passwords(), in_env);
        let files = (maybe(), maybe(), maybe(), maybe());
        let select = |values: &[Option<&'static str>]| prop::sample::select(values.to_vec());
        let words = (
            prop_oneof![6 => select(&[None, Some("local")]), 1 => Just(Some("remote"))],
            prop_oneof![
                8 => select(&[None, Some("token")]),
                1 => select(&[Some("password"), Some("none")]),
            ],
            select(&[None, Some("2026.2.26"), Some("2026.3.8"), Some("2026.7.35")]),
            prop::sample::select(vec![Layout::OneLine, Layout::Lines, Layout::Comments]),
        );
        (held(), passwords(), config, files, words).prop_map(
            |(variable, password, config, files, words)| {
                let (auth, remote, auth_password, in_env) = config;
                let (dotenv, gateway_env, unit, node_unit) = files;
                let (mode, auth_mode, version, layout) = words;
                Self {
                    variable,
                    password,
                    auth,
                    remote,
                    auth_password,
                    in_env,
                    dotenv,
                    gateway_env,
                    unit,
                    node_unit,
                    mode,
                    auth_mode,
                    version,
                    layout,
                }
            },
        )
    }

    pub(super) fn variables(&self, home: &Path, secrets: &Secrets) -> BTreeMap<String, String> {
        let home = home.display().to_string();
        let mut variables = BTreeMap::from([("HOME".to_owned(), home)]);
        for (name, held) in [(TOKEN, self.variable), (PASSWORD, self.password)] {
            let value = text(held, name, secrets).filter(|_| held != Held::Text);
            variables.extend(value.map(|value| (name.to_owned(), value)));
        }
        variables
    }

    pub(super) fn files(&self, home: &Path, secrets: &Secrets) -> Vec<(PathBuf, String)> {
        let mut files = vec![(home.join(".openclaw/openclaw.json"), self.config(secrets))];
        for (held, path) in
            [(self.dotenv, ".openclaw/.env"), (self.gateway_env, ".config/openclaw/gateway.env")]
        {
            files.extend(held.map(|held| (home.join(path), dotenv(held, secrets))));
        }
        for (held, name) in [(self.unit, "gateway"), (self.node_unit, "node")] {
            let path = home.join(format!(".config/systemd/user/openclaw-{name}.service"));
            files.extend(held.map(|held| (path, self.unit(held, secrets))));
        }
        files
    }

    fn config(&self, secrets: &Secrets) -> String {
        let mut config = json!({"gateway": {"port": 18789}});
        let places = [
            ("auth", "token", TOKEN, self.auth),
            ("auth", "password", PASSWORD, self.auth_password),
            ("remote", "token", TOKEN, self.remote),
        ];
        for (object, key, name, held) in places {
            if let Some(value) = value(held, name, secrets) {
                config["gateway"][object][key] = value;
            }
        }
        if let Some(mode) = self.mode {
            config["gateway"]["mode"] = json!(mode);
        }
        if let Some(mode) = self.auth_mode {
            config["gateway"]["auth"]["mode"] = json!(mode);
        }
        // A reference to itself leads nowhere, and says nothing that the others do not.
        if let Some(text) = text(self.in_env, TOKEN, secrets).filter(|_| self.in_env != Held::Text)
        {
            config["env"] = Value::Object(Map::from_iter([(TOKEN.to_owned(), json!(text))]));
        }
        match self.layout {
            Layout::OneLine => config.to_string(),
            Layout::Lines => format!("{config:#}\n"),
            Layout::Comments => format!("// mine\n{config:#}\n")
                .replace("\"port\": 18789", "port: 18789, /* not the usual one */"),
        }
    }

    fn unit(&self, held: Held, secrets: &Secrets) -> String {
        let own = text(held, TOKEN, secrets).map(|value| format!("Environment={TOKEN}={value}\n"));
        let version = self
            .version
            .map(|version| format!("Environment=OPENCLAW_SERVICE_VERSION={version} \"LANG=C\"\n"));
        [
            "[Unit]\nDescription=OpenClaw\n\n[Service]\n# its own\n",
            "ExecStart=/usr/bin/node /opt/openclaw/dist/index.js gateway\n",
            &version.unwrap_or_default(),
            &own.unwrap_or_default(),
            "\n[Install]\nWantedBy=default.target\n",
        ]
        .concat()
    }
}

fn dotenv(held: Held, secrets: &Secrets) -> String {
    let own = text(held, TOKEN, secrets).map(|value| format!("{TOKEN}={value}\n"));
    format!("# variables\nOTHER='x y'\n{}", own.unwrap_or_default())
}

/// What a file of variables holds.
fn text(held: Held, name: &str, secrets: &Secrets) -> Option<String> {
    match held {
        Held::Absent | Held::Object => None,
        Held::Empty => Some(String::new()),
        Held::Placeholder => Some("change-me-now".to_owned()),
        Held::Secret(index) => Some(secrets.0[index].clone()),
        Held::Text => Some(format!("${{{name}}}")),
    }
}

/// What a configuration holds.
fn value(held: Held, name: &str, secrets: &Secrets) -> Option<Value> {
    match held {
        Held::Object => Some(json!({"source": "env", "provider": "default", "id": name})),
        held => text(held, name, secrets).map(Value::from),
    }
}
