//! A snapshot of which all strings are one text. Compiled once for each version that has spans:
//! `super` is the version.

use super::{super::Classes, convert, wit};
use crate::model::Snapshot;

/// The text into which all spans point, as far as it is.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn put(&mut self, text: &str) -> wit::Span {
        let offset = number(self.0.len());
        self.0.push_str(text);
        wit::Span { offset, length: number(text.len()) }
    }
}

/// What the strings of a location come to, about.
const ROOM: usize = 64;

/// A text of 4 GiB would not fit into a policy's memory, and is refused there.
fn number(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// What the policy is shown.
pub(in crate::decide) fn shown(snapshot: &Snapshot) -> wit::Snapshot {
    let room = ROOM * (snapshot.locations.len() + snapshot.consumers.len());
    let (text, classes) = (&mut Text(String::with_capacity(room)), &mut Classes::default());
    let location_attributes =
        convert::attributes(snapshot.locations.iter().map(|location| &location.attributes), text);
    let consumer_attributes =
        convert::attributes(snapshot.consumers.iter().map(|consumer| &consumer.attributes), text);
    wit::Snapshot {
        deployment: text.put(&snapshot.deployment),
        phase: convert::phase(snapshot.phase),
        now: snapshot.now,
        settings: text.put(&snapshot.settings.to_string()),
        credentials: snapshot.credentials.iter().map(|name| text.put(name)).collect(),
        locations: convert::locations(snapshot, text, classes),
        consumers: convert::consumers(snapshot, text),
        location_attributes,
        consumer_attributes,
        facts: convert::facts(snapshot, text),
        // Last: all of the above have added to it.
        text: std::mem::take(&mut text.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{shown, wit};
    use crate::{
        artifact::PolicyRef,
        config::Deployment,
        model::Phase,
        observe::{Memory, observe},
        secret::Key,
    };

    fn read<'s>(snapshot: &'s wit::Snapshot, span: &wit::Span) -> Option<&'s str> {
        let start = span.offset as usize;
        snapshot.text.get(start..start + span.length as usize)
    }

    /// Promise 1, and that every span leads to what it should.
    #[test]
    fn all_is_in_the_text_but_no_secret() {
        let helm = PolicyRef::Shipped("helm".to_owned());
        let deployment = Deployment::without_manifest(helm).ok();
        let mut world = Memory::default();
        world.variables.insert("OPENCLAW_GATEWAY_TOKEN".to_owned(), "canary-new".to_owned());
        let config = r#"{"gateway": {"mode": "lokál", "remote": {"token": "canary-old"}}}"#;
        world.files.insert("/home/node/.openclaw/openclaw.json".into(), config.to_owned());
        let key = Key::new([7; 32]);
        let observed = deployment.map(|one| observe(&one, &world, &key, Phase::Start, 1));
        let Some(snapshot) = observed.map(|observed| observed.snapshot) else {
            unreachable!("the preset is there")
        };
        let shown = shown(&snapshot);
        assert_eq!(shown.locations.len(), snapshot.locations.len());
        for (shown_one, location) in shown.locations.iter().zip(&snapshot.locations) {
            assert_eq!(read(&shown, &shown_one.name), Some(&*location.name));
            assert_eq!(read(&shown, &shown_one.label), Some(&*location.label));
        }
        for (shown_one, consumer) in shown.consumers.iter().zip(&snapshot.consumers) {
            assert_eq!(read(&shown, &shown_one.name), Some(&*consumer.name));
        }
        assert_eq!(read(&shown, &shown.deployment), Some(&*snapshot.deployment));
        let modes =
            shown.facts.iter().filter(|fact| read(&shown, &fact.key) == Some("gateway.mode"));
        let modes: Vec<_> = modes.map(|fact| read(&shown, &fact.value)).collect();
        assert_eq!(modes, [Some("lokál")]);
        let all = format!("{shown:?}");
        assert!(!all.contains("canary"), "{all}");
        for presence in snapshot.locations.iter().map(|location| &location.presence) {
            let fingerprint = presence.fingerprint().and_then(|one| serde_json::to_value(one).ok());
            let told = fingerprint.as_ref().and_then(|one| one.as_str());
            assert!(told.is_none_or(|fingerprint| !all.contains(fingerprint)), "{all}");
        }
    }
}
