//! A case of an installation, with stand-ins for its secrets.
//!
//! It is made of what a policy is shown, which holds no secret, so none can get into it; the files and
//! variables themselves are left out.

use std::collections::HashMap;

use super::{
    Case, CaseDeployment,
    expect::Expectations,
    state::{Holds, More, State, StatedReference},
};
use crate::{
    config::Deployment,
    model::{FileStatus, Location, Presence, Snapshot, declared_name},
    secret::Fingerprint,
};

/// Makes a case of what was seen of a deployment. Paths below `home` begin with `~` instead.
#[must_use]
pub fn capture(name: &str, deployment: &Deployment, snapshot: &Snapshot, home: &str) -> Case {
    let words = |text: &str| below_home(text, home);
    let mut stand_ins = StandIns::default();
    let stated = snapshot.locations.iter().filter(|location| says_something(location, snapshot));
    let locations = stated
        .map(|location| {
            let mut state = stand_ins.state(location, deployment);
            state.more.label = state.more.label.map(|label| words(&label));
            state.more.attributes.values_mut().for_each(|value| *value = words(value));
            if let Holds::Reference(reference) = &mut state.holds {
                reference.target = words(&reference.target);
            }
            (words(&location.name), state)
        })
        .collect();
    let is_fact = |key: &str| !deployment.attributes.contains_key(key);
    let facts = snapshot.facts.iter().filter(|(key, _)| is_fact(key));
    let facts = facts.filter_map(|(key, fact)| Some((key.clone(), fact.value.as_deref()?)));
    let attributes = deployment.attributes.iter();
    let mut settings = snapshot.settings.clone();
    each_text(&mut settings, &words);
    Case {
        name: name.to_owned(),
        deployment: CaseDeployment {
            preset: deployment.preset.clone(),
            phase: snapshot.phase,
            now: snapshot.now,
            attributes: attributes.map(|(key, value)| (key.clone(), words(value))).collect(),
            manifest: String::new(),
        },
        settings: settings.as_object().cloned().unwrap_or_default(),
        locations,
        facts: facts.map(|(key, value)| (key, Some(words(value)))).collect(),
        expect: Expectations::default(),
        ..Case::default()
    }
}

/// A text with `~` for the home directory, where it is that and not the beginning of another name.
fn below_home(text: &str, home: &str) -> String {
    let home = home.trim_end_matches('/');
    if home.is_empty() {
        return text.to_owned();
    }
    let mut parts = text.split(home);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let ends =
            part.chars().next().is_none_or(|next| !next.is_alphanumeric() && !"-_.".contains(next));
        told.push_str(if ends { "~" } else { home });
        told.push_str(part);
    }
    told
}

fn each_text(value: &mut serde_json::Value, words: &dyn Fn(&str) -> String) {
    match value {
        serde_json::Value::String(text) => *text = words(text),
        serde_json::Value::Array(list) => list.iter_mut().for_each(|one| each_text(one, words)),
        serde_json::Value::Object(map) => map.values_mut().for_each(|one| each_text(one, words)),
        _ => {}
    }
}

/// Whether a location differs from one where there is nothing: it holds something, or it is in a file
/// that is there.
fn says_something(location: &Location, snapshot: &Snapshot) -> bool {
    let file = location.place.file().and_then(|file| snapshot.file(file));
    location.presence != Presence::Absent
        || file.is_some_and(|file| file.status != FileStatus::Absent)
}

/// Names for secrets, in the order in which they are met.
#[derive(Default)]
struct StandIns(HashMap<Fingerprint, usize>);

impl StandIns {
    fn of(&mut self, fingerprint: Fingerprint) -> String {
        let next = self.0.len() + 1;
        format!("stand-in-{}", self.0.entry(fingerprint).or_insert(next))
    }

    fn state(&mut self, location: &Location, deployment: &Deployment) -> State {
        let holds = match &location.presence {
            Presence::Absent => Holds::Nothing,
            Presence::Empty => Holds::Empty,
            Presence::Placeholder => Holds::Placeholder,
            Presence::Plain(fingerprint) => Holds::Secret(self.of(*fingerprint)),
            Presence::Reference(reference) => Holds::Reference(StatedReference {
                kind: reference.kind,
                target: reference.target.clone(),
                value: reference.resolved.map(|fingerprint| self.of(fingerprint)),
            }),
            Presence::Unreadable(fault) => Holds::Unreadable(*fault),
        };
        let declared = declared_name(&location.name);
        let spec = deployment.locations.iter().find(|spec| spec.name == declared);
        let mut attributes = location.attributes.clone();
        attributes
            .retain(|key, value| spec.and_then(|spec| spec.attributes.get(key)) != Some(value));
        let in_file = location.place.file().is_some();
        let is_usual = location.writable || matches!(holds, Holds::Unreadable(_)) || !in_file;
        let label = spec.is_none_or(|spec| spec.label != location.label);
        State {
            holds,
            more: More {
                expires: location.expires,
                modified: location.modified,
                writable: (!is_usual).then_some(false),
                label: label.then(|| location.label.clone()),
                attributes,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::below_home;

    #[test]
    fn only_the_home_directory_itself_is_shortened() {
        for (text, home, told) in [
            ("/home/a/.openclaw", "/home/a", "~/.openclaw"),
            ("/home/a/x and /home/a", "/home/a/", "~/x and ~"),
            ("/home/a2/x", "/home/a", "/home/a2/x"),
            ("/home/a.old/x", "/home/a", "/home/a.old/x"),
            ("/etc/x", "/", "/etc/x"),
        ] {
            assert_eq!(below_home(text, home), told);
        }
    }
}
