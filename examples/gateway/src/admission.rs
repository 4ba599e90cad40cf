//! Who is let in: one policy and one token at a time, and what open connections keep.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use precedent::{Proposal, ResolveError, secret::Fingerprint};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// The program of the deployment that this gateway is, and what it reads.
const CONSUMER: (&str, &str) = ("gateway", "gateway-token");

/// What admits: taken once a request, so that what it says of policy and token belongs together.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Digest of the policy that decided.
    pub(crate) policy: String,
    /// One more with each new token.
    pub(crate) generation: u64,
    /// The copy that won.
    pub(crate) from: String,
    pub(crate) token: Arc<Token>,
    /// The token before it, and until when it opens new connections.
    previous: Option<(Arc<Token>, Instant)>,
}

/// A token that admits.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) fingerprint: Fingerprint,
    secret: SecretString,
}

impl Token {
    /// Takes as long for a wrong token as for a right one of its length.
    fn is(&self, presented: &str) -> bool {
        self.secret.expose_secret().as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl Admission {
    /// What a proposal comes to; the first if there is none before it.
    pub(crate) fn of(
        proposal: &Proposal,
        before: Option<&Self>,
        grace: Duration,
    ) -> Result<Self, ResolveError> {
        let (consumer, credential) = CONSUMER;
        let resolved = proposal.resolve(consumer, credential)?;
        let admission = |generation, token, previous| Self {
            policy: proposal.policy.clone(),
            generation,
            from: proposal.snapshot.name_of(resolved.location),
            token,
            previous,
        };
        let fingerprint = resolved.fingerprint;
        Ok(match before {
            Some(before) if before.token.fingerprint == fingerprint => {
                let token = Arc::clone(&before.token);
                admission(before.generation, token, before.previous.clone())
            }
            before => {
                let token = Arc::new(Token { fingerprint, secret: resolved.secret.clone() });
                let previous =
                    before.map(|before| (Arc::clone(&before.token), Instant::now() + grace));
                admission(before.map_or(1, |before| before.generation + 1), token, previous)
            }
        })
    }

    /// Whether it says the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.policy, self.generation, &self.from)
            == (&other.policy, other.generation, &other.from)
    }

    /// Whether a request is let in: with the token, with the one before it for as long as that has grace,
    /// and with the one that its connection was opened with.
    pub(crate) fn admits(&self, presented: &str, connection: &Connection) -> bool {
        let mut opened_with = connection.opened_with.lock().unwrap_or_else(PoisonError::into_inner);
        let in_grace = self.previous.as_ref().filter(|(_, until)| Instant::now() < *until);
        let now = [Some(&self.token), in_grace.map(|(token, _)| token)];
        if let Some(token) = now.into_iter().flatten().find(|token| token.is(presented)) {
            *opened_with = Some(Arc::clone(token));
            return true;
        }
        opened_with.as_ref().is_some_and(|token| token.is(presented))
    }
}

/// What is known of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    /// The token that it was last let in with: it goes on with that for as long as it is open.
    opened_with: Arc<Mutex<Option<Arc<Token>>>>,
}
