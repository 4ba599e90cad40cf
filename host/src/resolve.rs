//! The secret that a program is to be given: what a gateway's startup, `exec` and `provide` need of
//! a decision.

use secrecy::SecretString;

use crate::{
    Proposal, Ruling,
    check::Violations,
    model::{LocationId, Presence, Refusal, Standing},
    secret::Fingerprint,
};

/// A secret for a program, and where it comes from.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Resolved<'p> {
    /// The copy that wins.
    pub location: LocationId,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The secret. Nothing shows it but `ExposeSecret::expose_secret`.
    pub secret: &'p SecretString,
    /// Whether the program would get the same if it looked for itself today.
    pub is_todays: bool,
}

/// Why a program cannot be given a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The policy says no.
    #[error("the policy refuses: {}", .0.reason)]
    Refused(Refusal),
    /// The decision breaks the host's rules.
    #[error(transparent)]
    Violated(Violations),
    /// The deployment has no such program, or the program does not read that credential.
    #[error("no consumer `{consumer}` reads `{credential}`, expected one of {}", expected.join(", "))]
    Unknown {
        /// The program that was asked for.
        consumer: String,
        /// The credential that was asked for.
        credential: String,
        /// What there is, as `` `consumer credential` ``.
        expected: Vec<String>,
    },
    /// There is no secret to be had.
    #[error("there is no `{credential}` for `{consumer}`: {why}")]
    Nothing {
        /// The program.
        consumer: String,
        /// The credential.
        credential: String,
        /// Where the decision leads, and what is there.
        why: String,
    },
}

impl Proposal {
    /// The secret that a consumer is to be given: the copy that the decision wants it to use, else, where
    /// the policy has no say, the one that it uses today.
    ///
    /// # Errors
    ///
    /// Where the policy refuses, the decision breaks a rule, or there is no such secret.
    pub fn resolve(&self, consumer: &str, credential: &str) -> Result<Resolved<'_>, ResolveError> {
        let decision = match &self.ruling {
            Ruling::Decided(decision, _) => decision,
            Ruling::Refused(refusal) => return Err(ResolveError::Refused(refusal.clone())),
            Ruling::Violated(_, violations) => {
                return Err(ResolveError::Violated(violations.clone()));
            }
        };
        let snapshot = &self.snapshot;
        let verdict = decision.verdicts.iter().find(|verdict| {
            snapshot.consumers.get(verdict.consumer.index()).is_some_and(|found| {
                found.name == consumer && snapshot.credential(found.credential) == credential
            })
        });
        let Some(verdict) = verdict else {
            let known = snapshot
                .consumers
                .iter()
                .map(|one| format!("`{} {}`", one.name, snapshot.credential(one.credential)));
            return Err(ResolveError::Unknown {
                consumer: consumer.to_owned(),
                credential: credential.to_owned(),
                expected: known.collect(),
            });
        };
        let nothing = |why: String| ResolveError::Nothing {
            consumer: consumer.to_owned(),
            credential: credential.to_owned(),
            why,
        };
        let todays = match verdict.today {
            Standing::Copy(id) => Some(id),
            _ => None,
        };
        let Some(location) = verdict.wanted.or(todays) else {
            return Err(nothing(match verdict.today {
                Standing::Unresolved(id) => {
                    format!("the reference at {} leads nowhere", snapshot.label_of(id))
                }
                Standing::Invalid => "its configuration cannot be used".to_owned(),
                _ => "no place holds one".to_owned(),
            }));
        };
        let presence = snapshot.location(location).map(|location| &location.presence);
        let fingerprint = presence.and_then(|presence| presence.fingerprint());
        let Some((fingerprint, secret)) = fingerprint.zip(self.vault.secret_at(location)) else {
            let label = snapshot.label_of(location);
            return Err(nothing(match presence {
                Some(Presence::Reference(_)) => {
                    format!("the reference at {label} leads nowhere, or is not followed here")
                }
                _ => format!("{label} holds none yet"),
            }));
        };
        let now = todays.and_then(|id| snapshot.location(id)?.presence.fingerprint());
        Ok(Resolved { location, fingerprint, secret, is_todays: now == Some(fingerprint) })
    }
}
