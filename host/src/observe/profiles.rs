//! The logins of agents, as files of them hold them: `auth-profiles.json`, for each agent one, here and on
//! other nodes.
//!
//! Which profiles there are is known only by looking. Each gets a location, `NAME@AGENT/PROFILE`, which the
//! grant of `NAME` covers, and here a consumer `agent:AGENT`. What renews a login gets a location too, so that
//! two nodes that have the same can be told; no grant covers that one, for it may serve only once.
//!
//! | module | what |
//! |---|---|
//! | `login` | one login of a file, without its secrets |
//! | `store` | a file of them: what its places and its readers are called |

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{commands::Commands, files::Files, units::unused};
use crate::{
    config::{CommandSpec, Deployment, ProfilesPlace, ProfilesSpec, is_for},
    model::{FileId, Location, LocationId, Pointer, Severity, Snapshot},
};

mod login;
mod store;

use login::{Form, Login, Time};
use store::{Store, Within, document, root};

/// What else was found of the logins.
#[derive(Default)]
pub(super) struct Profiles {
    /// By the position of the location.
    known: Vec<(usize, Known)>,
    notes: Vec<Note>,
    /// Two paths of one file are one file.
    files: Vec<FileId>,
}

/// What is known of a location beside what stands there.
#[derive(Default)]
struct Known {
    expires: Option<u64>,
    refresh_expires: Option<u64>,
    expiry: Option<Pointer>,
    /// Whether nothing may be written there, whatever the file allows.
    is_fixed: bool,
}

struct Note {
    severity: Severity,
    code: &'static str,
    message: String,
    remedy: &'static str,
    location: Option<usize>,
}

/// Adds the logins of a deployment to it.
pub(super) fn discover(
    found: &mut Cow<'_, Deployment>,
    files: &mut Files<'_>,
    commands: &Commands,
) -> Profiles {
    let mut profiles = Profiles::default();
    let shown = |spec: &&ProfilesSpec| is_for(&spec.policies, &found.policy);
    let specs: Vec<ProfilesSpec> = found.profiles.iter().filter(shown).cloned().collect();
    for spec in &specs {
        match &spec.place {
            ProfilesPlace::Files(path, agent) => {
                let Some(pattern) = files.resolve(path) else { continue };
                for path in files.matching(&pattern, true) {
                    let named = agent.clone().or_else(|| login::agent_of(&pattern, &path));
                    let agent = named.unwrap_or_default();
                    let store = Store {
                        spec,
                        agent: &agent,
                        within: Within::Document(0),
                        path: path.display().to_string(),
                    };
                    profiles.file(store, &path, found, files);
                }
            }
            ProfilesPlace::Printed(printed) => {
                let node = spec.node.as_deref().unwrap_or_default();
                let mut failures = Vec::new();
                for (agent, call) in printed {
                    let path = format!("what {node} tells of the logins of {agent}");
                    let store = Store { spec, agent, within: Within::Output(call), path };
                    let read = profiles.output(&store, call, found.to_mut(), commands);
                    failures.extend(read.err().map(|problem| (agent.as_str(), problem)));
                }
                profiles.unanswered(node, &failures);
            }
        }
    }
    profiles
}

impl Profiles {
    /// Puts what is known of the logins beside what was seen of them.
    pub(super) fn tell(&self, locations: &mut [Location]) {
        for (index, known) in &self.known {
            let Some(location) = locations.get_mut(*index) else { continue };
            location.expires = known.expires;
            location.refresh_expires = known.refresh_expires;
            location.expiry.clone_from(&known.expiry);
            location.writable &= !known.is_fixed;
        }
    }

    /// What is not as it should be in the files.
    pub(super) fn report(self, snapshot: &mut Snapshot) {
        for note in self.notes {
            let locations = note.location.map(LocationId::from_index).into_iter().collect();
            let remedy = Some(note.remedy.to_owned());
            snapshot.find(note.severity, note.code, note.message, remedy, locations);
        }
    }

    fn note(&mut self, code: &'static str, message: String, remedy: &'static str) {
        let severity = Severity::Warning;
        self.notes.push(Note { severity, code, message, remedy, location: None });
    }

    fn file(
        &mut self,
        mut store: Store<'_>,
        path: &std::path::Path,
        found: &mut Cow<'_, Deployment>,
        files: &mut Files<'_>,
    ) {
        let opened = files.open(path);
        if self.files.contains(&opened.id) {
            return;
        }
        self.files.push(opened.id);
        let deployment = found.to_mut();
        store.within = Within::Document(deployment.documents.len());
        deployment.documents.push(document(&store, path));
        let read = opened.contents.ok();
        let read = read.and_then(|contents| serde_json::from_slice(&contents.bytes).ok());
        match read {
            Some(read) => self.logins(&store, &read, deployment),
            // Why it cannot be read is told of the document. Its agent has no login that is known.
            None => self.unread(&store, deployment),
        }
    }

    /// The logins that a program printed; why they cannot be read, where they cannot.
    fn output(
        &mut self,
        store: &Store<'_>,
        call: &CommandSpec,
        deployment: &mut Deployment,
        commands: &Commands,
    ) -> Result<(), String> {
        let Some(output) = commands.printed(call) else { return Ok(()) };
        let garbage = |_| format!("what `{}` prints is no JSON", call.read.join(" "));
        let read = serde_json::from_slice(output?).map_err(garbage)?;
        self.logins(store, &read, deployment);
        Ok(())
    }

    /// One note for a node, however many agents it has.
    fn unanswered(&mut self, node: &str, failures: &[(&str, String)]) {
        let Some((_, problem)) = failures.first() else { return };
        let agents: Vec<&str> = failures.iter().map(|(agent, _)| *agent).collect();
        let message = format!(
            "the logins of {} on {node} cannot be read: {problem}; the rest goes on",
            agents.join(", ")
        );
        let remedy =
            "run it by hand to see what it says: that is not shown here, for it may hold a secret";
        self.note("node-unreadable", message, remedy);
    }

    /// The whole of a file that cannot be used.
    fn unread(&mut self, store: &Store<'_>, deployment: &mut Deployment) {
        let Some(place) = root().map(|at| store.place(at, None)) else { return };
        let name = unused(deployment, &store.name(None));
        let label = format!("the logins of {}", store.whose());
        let attributes = [("agent", store.agent), ("type", "file")];
        let attributes: Vec<(&str, String)> =
            attributes.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
        store.add(deployment, &store.spec.name, &name, label, place, attributes.clone());
        store.read(deployment, &store.spec.name, &name, attributes);
    }

    fn logins(&mut self, store: &Store<'_>, read: &Value, deployment: &mut Deployment) {
        let Some(all) = read.get("profiles").and_then(Value::as_object) else {
            let message =
                format!("{} has no object `profiles`; nothing in it is a login", store.path);
            self.note("profiles-missing", message, "log in again: that makes it anew");
            return;
        };
        for (id, profile) in all {
            match Login::read(id, profile, read) {
                Ok(login) => self.login(store, &login, deployment),
                Err(wrong) => {
                    let message = format!(
                        "{id} in {} {wrong}, so it is left out; the rest goes on",
                        store.path
                    );
                    let code = wrong.code();
                    self.note(
                        code,
                        message,
                        "log in to it again; `type` is api_key, token or oauth",
                    );
                }
            }
        }
    }

    fn login(&mut self, store: &Store<'_>, login: &Login<'_>, deployment: &mut Deployment) {
        let Some(at) = root().map(|root| root.then(login.id)) else { return };
        let (field, hidden) = login.secret();
        let place = store.place(at.then(field), hidden);
        let credential = format!("{}:{}", login.form.credential(), login.id);
        let name = unused(deployment, &store.name(Some(login.id)));
        let label = format!("{} of {}", login.id, store.whose());
        let mut attributes = login.attributes();
        attributes.push(("agent", store.agent.to_owned()));
        let index = store.add(deployment, &credential, &name, label.clone(), place, attributes);
        self.times(store, login, index, &at);
        store.read(deployment, &credential, &name, login.reader(store.agent));
        if login.form == Form::OAuth && login.has_refresh {
            let place = store.place(at.then("refresh"), None);
            let credential = format!("oauth-refresh:{}", login.id);
            let family = store.spec.refresh_name();
            let name = unused(deployment, &store.named(&family, Some(login.id)));
            let label = format!("what renews {label}");
            let attributes = vec![
                ("agent", store.agent.to_owned()),
                ("profile", login.id.to_owned()),
                ("single-use", "yes".to_owned()),
            ];
            let index = store.add(deployment, &credential, &name, label, place, attributes);
            let known =
                Known { expires: login.refresh_expires, is_fixed: true, ..Known::default() };
            self.known.push((index, known));
        }
    }

    fn times(&mut self, store: &Store<'_>, login: &Login<'_>, index: usize, at: &Pointer) {
        let of = || format!("{} of {}", login.id, store.whose());
        let written = match (&store.within, login.form) {
            (Within::Document(_), Form::Token | Form::OAuth) => Some(at.then("expires")),
            _ => None,
        };
        let note = match login.time {
            Time::InSeconds(time) => Some((
                "time-in-seconds",
                format!(
                    "the time at which {} ends, {time}, is in seconds; its gateway reads milliseconds, and takes it for long past",
                    of()
                ),
                "log in to it again, or put three zeros behind it",
            )),
            Time::Unusable => Some((
                "time-invalid",
                format!(
                    "the time at which {} ends is no number of milliseconds; its gateway takes it for past",
                    of()
                ),
                "log in again: that makes it anew",
            )),
            Time::At(_) | Time::Never => None,
        };
        if let Some((code, message, remedy)) = note {
            let severity = Severity::Warning;
            self.notes.push(Note { severity, code, message, remedy, location: Some(index) });
        }
        let known = Known {
            expires: login.time.seconds(),
            refresh_expires: login.refresh_expires,
            expiry: written,
            is_fixed: false,
        };
        self.known.push((index, known));
    }
}

/// A text at a key of an object.
fn text<'v>(map: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    map.get(key).and_then(Value::as_str)
}
