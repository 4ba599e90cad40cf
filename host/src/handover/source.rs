//! The copy that is handed over.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};

use super::LARGEST_SECRET;
use crate::{
    Proposal, Ruling,
    check::Violations,
    model::{CredentialId, Location, LocationId, Presence, Refusal},
    record::moment,
    secret::Fingerprint,
};

/// A secret that may be handed over, and where it stands.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Source<'p> {
    /// The place.
    pub location: LocationId,
    /// Fingerprint of the secret.
    pub fingerprint: Fingerprint,
    /// The secret.
    pub secret: &'p SecretString,
    /// When it stops being valid, in seconds since 1970, if that is known.
    pub expires: Option<u64>,
}

/// Why no secret is handed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such credential, or no such place of it.
    #[error("unknown {what} `{name}`, expected one of `{}`", .expected.join("`, `"))]
    Unknown {
        /// Of what there is none.
        what: &'static str,
        /// Its name.
        name: String,
        /// What there is.
        expected: Vec<String>,
    },
    /// The decision does not say which copy it should be.
    #[error("{why}; name a copy with --from{}", listed(.candidates))]
    Undecided {
        /// What it says.
        why: String,
        /// The copies that could be handed over, each with its fingerprint.
        candidates: Vec<String>,
    },
    /// The policy says no.
    #[error("the policy refuses: {}; --from hands over a copy of your choice", .0.reason)]
    Refused(Refusal),
    /// The decision breaks the host's rules.
    #[error("{0}; --from hands over a copy of your choice")]
    Violated(Violations),
    /// There is no secret at the place.
    #[error("{0}")]
    Nothing(String),
    /// The copy is not valid any more.
    #[error("the copy at {label} expired at {}; renew it first, or name another with --from", moment(*.at))]
    Expired {
        /// The place in the operator's words.
        label: String,
        /// When, in seconds since 1970.
        at: u64,
    },
}

impl SourceError {
    /// Whether the caller asked for what cannot be.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Undecided { .. })
    }
}

impl Proposal {
    /// The secret of a credential that is to be handed to another node: the copy at a place that somebody
    /// names, else the one that the decision wants its programs to use.
    ///
    /// # Errors
    ///
    /// Where there is no such copy, it has expired, or the decision does not say which it should be.
    pub fn to_hand_over(
        &self,
        credential: &str,
        from: Option<&str>,
    ) -> Result<Source<'_>, SourceError> {
        let names = &self.snapshot.credentials;
        let Some(index) = names.iter().position(|name| name == credential) else {
            let (name, expected) = (credential.to_owned(), names.clone());
            return Err(SourceError::Unknown { what: "credential", name, expected });
        };
        let id = CredentialId::from_index(index);
        match from {
            Some(name) => self.usable(self.named(id, name)?),
            None => self.usable(self.wanted(id)?),
        }
    }

    fn places(&self, credential: CredentialId) -> impl Iterator<Item = (LocationId, &Location)> {
        let all = self.snapshot.locations.iter().enumerate();
        let all = all.map(|(index, location)| (LocationId::from_index(index), location));
        all.filter(move |(_, location)| location.credential == credential)
    }

    fn named(&self, credential: CredentialId, name: &str) -> Result<LocationId, SourceError> {
        let found = self.places(credential).find(|(_, location)| location.name == name);
        found.map(|(id, _)| id).ok_or_else(|| SourceError::Unknown {
            what: "location",
            name: name.to_owned(),
            expected: self.places(credential).map(|(_, location)| location.name.clone()).collect(),
        })
    }

    /// The copy that all programs that read it should use, as far as the policy has a say.
    fn wanted(&self, credential: CredentialId) -> Result<LocationId, SourceError> {
        let decision = match &self.ruling {
            Ruling::Decided(decision, _) => decision,
            Ruling::Refused(refusal) => return Err(SourceError::Refused(refusal.clone())),
            Ruling::Violated(_, violations) => {
                return Err(SourceError::Violated(violations.clone()));
            }
        };
        let snapshot = &self.snapshot;
        let reads = |index: usize| {
            snapshot.consumers.get(index).is_some_and(|found| found.credential == credential)
        };
        let verdicts = decision.verdicts.iter().filter(|one| reads(one.consumer.index()));
        let wanted: BTreeSet<LocationId> = verdicts.filter_map(|one| one.wanted).collect();
        let secret = |id: &LocationId| snapshot.location(*id)?.presence.fingerprint();
        let secrets: BTreeSet<Option<Fingerprint>> = wanted.iter().map(secret).collect();
        let name = snapshot.credential(credential);
        let why = match (wanted.first(), secrets.len()) {
            (Some(first), 1) => {
                let usable = wanted.iter().find(|id| self.usable(**id).is_ok());
                return Ok(*usable.unwrap_or(first));
            }
            (Some(_), _) => format!("not all programs should use the same {name}"),
            (None, _) => format!("the policy says of no copy that it should be the {name}"),
        };
        let usable = self.places(credential).filter_map(|(id, location)| {
            let found = self.usable(id).ok()?;
            Some(format!("`{}` ({})", location.name, found.fingerprint))
        });
        Err(SourceError::Undecided { why, candidates: usable.collect() })
    }

    fn usable(&self, id: LocationId) -> Result<Source<'_>, SourceError> {
        let label = self.snapshot.label_of(id);
        let found = self.snapshot.location(id).zip(self.vault.secret_at(id));
        let presence = self.snapshot.location(id).map(|location| &location.presence);
        let (Some(Presence::Plain(fingerprint)), Some((location, secret))) = (presence, found)
        else {
            return Err(SourceError::Nothing(match presence {
                Some(Presence::Reference(_)) => format!(
                    "a reference stands at {label}, and nobody copies what it leads to; name another copy with --from, or export it where it is kept"
                ),
                Some(Presence::Unreadable(_)) => {
                    format!("{label} cannot be read; precedent explain says why")
                }
                Some(Presence::Placeholder) => {
                    format!("{label} holds the documentation's example, which is no secret")
                }
                _ => format!("{label} holds none"),
            }));
        };
        // The first node that uses it ends it for the other.
        if location.attributes.contains_key("single-use") {
            return Err(SourceError::Nothing(format!(
                "what stands at {label} may serve only once, so it goes to no other node; log in there instead"
            )));
        }
        if let Some(at) = location.expires.filter(|at| *at <= self.snapshot.now) {
            return Err(SourceError::Expired { label, at });
        }
        if secret.expose_secret().len() > LARGEST_SECRET {
            return Err(SourceError::Nothing(format!(
                "what {label} holds is longer than any secret"
            )));
        }
        let expires = location.expires;
        Ok(Source { location: id, fingerprint: *fingerprint, secret, expires })
    }
}

fn listed(candidates: &[String]) -> String {
    if candidates.is_empty() {
        "; there is none here".to_owned()
    } else {
        format!(": {}", candidates.join(", "))
    }
}
