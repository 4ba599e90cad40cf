//! Test a policy natively: build a snapshot, run the policy, look at the decision by name.
//!
//! ```
//! # use precedent_guest::{Answer, Decision, NoSettings, Policy, Snapshot};
//! # struct Follow;
//! # impl Policy for Follow {
//! #     type Settings = NoSettings;
//! #     fn decide(snapshot: &Snapshot, _: NoSettings) -> Answer {
//! #         let mut decision = Decision::default();
//! #         if let (Some(from), Some(to)) =
//! #             (snapshot.location_named("env.token"), snapshot.location_named("config.token"))
//! #         { decision.write_unless_equal(from, to, "follows"); }
//! #         Ok(decision)
//! #     }
//! # }
//! use precedent_guest::testing::SnapshotBuilder;
//!
//! SnapshotBuilder::default()
//!     .plain("env.token", "new")
//!     .plain("config.token", "old")
//!     .decide::<Follow>()
//!     .does(&["write env.token -> config.token"]);
//! ```

use std::collections::BTreeMap;

use crate::{
    LocationKind, Phase, Policy, Presence, Reference, Snapshot,
    contract::{
        self, Attribute, Consumer, Deed, Fact, Location, ReferenceKind, Refusal, Span, Standing,
    },
    policy,
};

/// Builds a snapshot from names and values. Values stand for secrets: equal ones get one number.
///
/// A location's kind is told by the first part of its name (`env.` is an environment variable,
/// `incoming.` the new secret of a rotation, all else a document), and its credential is `token` unless [`credential`](Self::credential) says
/// otherwise before it.
#[derive(Debug, Clone)]
pub struct SnapshotBuilder {
    record: contract::Snapshot,
    values: Vec<String>,
    credential: u32,
}

impl Default for SnapshotBuilder {
    fn default() -> Self {
        let mut text = String::new();
        let [deployment, settings, token] =
            ["test", "{}", "token"].map(|word| put(&mut text, word));
        Self {
            record: contract::Snapshot {
                deployment,
                phase: Phase::Check,
                now: 0,
                settings,
                credentials: vec![token],
                locations: Vec::new(),
                consumers: Vec::new(),
                location_attributes: Vec::new(),
                consumer_attributes: Vec::new(),
                facts: Vec::new(),
                text,
            },
            values: Vec::new(),
            credential: 0,
        }
    }
}

/// Adds to the text that all spans of a snapshot point into.
fn put(text: &mut String, more: &str) -> Span {
    let number = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let span = Span { offset: number(text.len()), length: number(more.len()) };
    text.push_str(more);
    span
}

fn read(record: &contract::Snapshot, span: Span) -> &str {
    let start = span.offset as usize;
    record.text.get(start..start + span.length as usize).unwrap_or_default()
}

impl SnapshotBuilder {
    fn put(&mut self, text: &str) -> Span {
        put(&mut self.record.text, text)
    }

    /// The credential of what is added from here on.
    #[must_use]
    pub fn credential(mut self, name: &str) -> Self {
        if self.record.locations.is_empty() && self.record.consumers.is_empty() {
            self.record.credentials.clear();
        }
        let mut known = self.record.credentials.iter();
        let known = known.position(|&known| read(&self.record, known) == name);
        let index = known.unwrap_or_else(|| {
            let name = self.put(name);
            self.record.credentials.push(name);
            self.record.credentials.len() - 1
        });
        self.credential = u32::try_from(index).unwrap_or(u32::MAX);
        self
    }

    /// Sets the phase.
    #[must_use]
    pub fn phase(mut self, phase: Phase) -> Self {
        self.record.phase = phase;
        self
    }

    /// Sets when the host observed, in seconds since 1970.
    #[must_use]
    pub fn now(mut self, now: u64) -> Self {
        self.record.now = now;
        self
    }

    /// Sets the settings, as JSON text.
    #[must_use]
    pub fn settings(mut self, json: &str) -> Self {
        self.record.settings = self.put(json);
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, key: &str, value: &str) -> Self {
        let fact = Fact { key: self.put(key), value: self.put(value) };
        let facts = &self.record.facts;
        let at = facts.partition_point(|known| read(&self.record, known.key) < key);
        self.record.facts.insert(at, fact);
        self
    }

    /// Adds a consumer.
    #[must_use]
    pub fn consumer(mut self, name: &str) -> Self {
        let name = self.put(name);
        self.record.consumers.push(Consumer { name, credential: self.credential, node: None });
        self
    }

    /// Gives the consumer that was added last an attribute.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        let owner = self.record.consumers.len().saturating_sub(1);
        let owner = u32::try_from(owner).unwrap_or(u32::MAX);
        let attribute = Attribute { owner, key: self.put(key), value: self.put(value) };
        self.record.consumer_attributes.push(attribute);
        self
    }

    /// Adds a location with a plain copy.
    #[must_use]
    pub fn plain(mut self, name: &str, value: &str) -> Self {
        let fingerprint = self.fingerprint(value);
        self.location(name, Presence::Plain(fingerprint))
    }

    /// Adds a location that is absent.
    #[must_use]
    pub fn absent(self, name: &str) -> Self {
        self.location(name, Presence::Absent)
    }

    /// Adds a location with a reference to a variable; it leads to `value`, or nowhere.
    #[must_use]
    pub fn reference(mut self, name: &str, variable: &str, value: Option<&str>) -> Self {
        let resolved = value.map(|value| self.fingerprint(value));
        self.location(
            name,
            Presence::Reference(Reference {
                kind: ReferenceKind::Environment,
                target: variable,
                resolved,
            }),
        )
    }

    /// Adds a location with any presence.
    #[must_use]
    pub fn location(mut self, name: &str, presence: Presence<'_>) -> Self {
        let environment = name.starts_with("env.") || name.starts_with("incoming.");
        let presence = match presence {
            Presence::Absent => contract::Presence::Absent,
            Presence::Empty => contract::Presence::Empty,
            Presence::Placeholder => contract::Presence::Placeholder,
            Presence::Plain(fingerprint) => contract::Presence::Plain(fingerprint),
            Presence::Reference(Reference { kind, target, resolved }) => {
                let target = self.put(target);
                contract::Presence::Reference(contract::Reference { kind, target, resolved })
            }
            Presence::Unreadable(fault) => contract::Presence::Unreadable(fault),
        };
        let name = self.put(name);
        self.record.locations.push(Location {
            name,
            credential: self.credential,
            kind: if environment { LocationKind::Environment } else { LocationKind::Document },
            label: name,
            node: None,
            presence,
            expires: None,
            refresh_expires: None,
            modified: None,
            writable: !environment,
            durable: !environment,
        });
        self
    }

    /// Says when the secret at the location that was added last stops being valid.
    #[must_use]
    pub fn expires(mut self, at: u64) -> Self {
        if let Some(location) = self.record.locations.last_mut() {
            location.expires = Some(at);
        }
        self
    }

    /// Says when the means to renew the secret at the location that was added last stop being valid.
    #[must_use]
    pub fn refresh_expires(mut self, at: u64) -> Self {
        if let Some(location) = self.record.locations.last_mut() {
            location.refresh_expires = Some(at);
        }
        self
    }

    /// Puts the location that was added last on another node.
    #[must_use]
    pub fn on(mut self, node: &str) -> Self {
        let node = self.put(node);
        if let Some(location) = self.record.locations.last_mut() {
            location.node = Some(node);
        }
        self
    }

    /// Gives the location that was added last an attribute.
    #[must_use]
    pub fn marked(mut self, key: &str, value: &str) -> Self {
        let owner = self.record.locations.len().saturating_sub(1);
        let owner = u32::try_from(owner).unwrap_or(u32::MAX);
        let attribute = Attribute { owner, key: self.put(key), value: self.put(value) };
        self.record.location_attributes.push(attribute);
        self
    }

    /// Makes the location that was added last impossible to write.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        if let Some(location) = self.record.locations.last_mut() {
            location.writable = false;
        }
        self
    }

    /// The snapshot.
    #[must_use]
    pub fn snapshot(self) -> Snapshot {
        Snapshot::new(self.record)
    }

    /// Runs the policy on the snapshot, as the component would.
    #[must_use]
    pub fn decide<P: Policy>(self) -> Decided {
        let answer = policy::decide::<P>(self.record.clone());
        Decided { snapshot: self.record, answer }
    }

    fn fingerprint(&mut self, value: &str) -> u32 {
        let known = self.values.iter().position(|known| known == value);
        let index = known.unwrap_or_else(|| {
            self.values.push(value.to_owned());
            self.values.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }
}

/// A snapshot and the policy's answer to it, in names.
#[derive(Debug, Clone)]
pub struct Decided {
    snapshot: contract::Snapshot,
    answer: Result<contract::Decision, Refusal>,
}

impl Decided {
    /// The answer as it crossed the boundary.
    pub fn answer(&self) -> &Result<contract::Decision, Refusal> {
        &self.answer
    }

    /// Asserts the actions, in any order: `write A -> B`, `refer A -> B`, `remove A`, `mint A`.
    ///
    /// # Panics
    ///
    /// Where they differ, or the policy refused.
    #[track_caller]
    pub fn does(&self, expected: &[&str]) -> &Self {
        let mut actual: Vec<String> =
            self.decision().actions.iter().map(|action| self.deed(&action.deed)).collect();
        actual.sort();
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(actual, expected, "actions of the policy");
        self
    }

    /// Asserts the codes of the findings, in any order.
    ///
    /// # Panics
    ///
    /// Where they differ, or the policy refused.
    #[track_caller]
    pub fn finds(&self, expected: &[&str]) -> &Self {
        let mut actual: Vec<&str> =
            self.decision().findings.iter().map(|finding| finding.code.as_str()).collect();
        actual.sort_unstable();
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(actual, expected, "findings of the policy");
        self
    }

    /// Asserts what a consumer uses today: a location's name, or `nothing`, `generated`,
    /// `invalid`, `unresolved NAME`.
    ///
    /// # Panics
    ///
    /// Where it differs, or the policy refused or has no verdict for it.
    #[track_caller]
    pub fn today(&self, consumer: &str, expected: &str) -> &Self {
        let actual = self.verdicts().get(consumer).map(|(today, _)| today.clone());
        assert_eq!(actual.as_deref(), Some(expected), "what {consumer} uses today");
        self
    }

    /// Asserts the copy that a consumer should use.
    ///
    /// # Panics
    ///
    /// Where it differs, or the policy refused or has no verdict for it.
    #[track_caller]
    pub fn wants(&self, consumer: &str, expected: Option<&str>) -> &Self {
        let verdicts = self.verdicts();
        let actual = verdicts.get(consumer).map(|(_, wanted)| wanted.as_deref());
        assert_eq!(actual, Some(expected), "what {consumer} should use");
        self
    }

    #[track_caller]
    fn decision(&self) -> &contract::Decision {
        match &self.answer {
            Ok(decision) => decision,
            Err(refusal) => {
                #[allow(clippy::panic, reason = "a failed assertion of a test")]
                {
                    panic!("the policy refused: {}: {}", refusal.code, refusal.reason)
                }
            }
        }
    }

    #[track_caller]
    fn verdicts(&self) -> BTreeMap<&str, (String, Option<String>)> {
        let consumers = &self.snapshot.consumers;
        self.decision()
            .verdicts
            .iter()
            .filter_map(|verdict| {
                let consumer = consumers.get(usize::try_from(verdict.consumer).ok()?)?;
                let today = match verdict.today {
                    Standing::Copy(id) => self.name(id),
                    Standing::Nothing => "nothing".to_owned(),
                    Standing::Unresolved(id) => format!("unresolved {}", self.name(id)),
                    Standing::Generated => "generated".to_owned(),
                    Standing::Invalid => "invalid".to_owned(),
                };
                let wanted = verdict.wanted.map(|id| self.name(id));
                Some((read(&self.snapshot, consumer.name), (today, wanted)))
            })
            .collect()
    }

    fn deed(&self, deed: &Deed) -> String {
        match deed {
            Deed::Write(copy) => {
                format!("write {} -> {}", self.name(copy.from), self.name(copy.to))
            }
            Deed::Refer(copy) => {
                format!("refer {} -> {}", self.name(copy.from), self.name(copy.to))
            }
            Deed::Remove(id) => format!("remove {}", self.name(*id)),
            Deed::Mint(mint) => format!("mint {}", self.name(mint.to)),
            Deed::Refresh(id) => format!("refresh {}", self.name(*id)),
            Deed::SetFact(fact) => format!("set {} = {}", fact.key, fact.value),
            Deed::Restart(id) => format!("restart {id}"),
            Deed::Alert(alert) => format!("alert {}", alert.message),
        }
    }

    fn name(&self, id: u32) -> String {
        usize::try_from(id).ok().and_then(|index| self.snapshot.locations.get(index)).map_or_else(
            || format!("location {id}"),
            |location| read(&self.snapshot, location.name).to_owned(),
        )
    }
}
