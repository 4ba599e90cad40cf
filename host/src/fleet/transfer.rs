//! Secrets on their way, each sealed to one node: who has a copy puts it into the store for who needs it, and
//! who took it removes it.

use std::collections::HashMap;

use secrecy::{ExposeSecret, SecretString};

use super::{
    FleetError, Hand, Roster, Send, Space, Store,
    store::{Condition, LeaseId, Transaction},
};
use crate::{
    Error, Host, Proposal, Ruling,
    config::FleetSpec,
    handover::{Handover, NodeIdentity, Receiver, VALID, seal},
    model::{Decision, Phase},
    plan::Plan,
    record::StateFolder,
    secret::Key,
};

/// After how long what nobody took is sealed and put there again, in seconds: before who waits for it gives up, so
/// that one that died with it in its hand gets it anew.
const AGAIN: u64 = 20;

/// Who is at one end of what is on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'e> {
    pub(super) host: &'e Host,
    pub(super) store: &'e dyn Store,
    pub(super) space: &'e Space,
    pub(super) roster: &'e Roster,
    pub(super) identity: &'e NodeIdentity,
    pub(super) key: &'e Key,
}

/// What came of what a node is asked to send, or took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Went {
    /// It is on its way, or in this node's hand.
    Done,
    /// It is not sent, or not taken, and why.
    Not(String),
}

/// Where each was put, and when, by its id.
pub(super) type SentAt = HashMap<String, SentLast>;

/// What came of it the last time.
#[derive(Debug)]
pub(super) struct SentLast {
    key: String,
    at: u64,
    went: Went,
}

impl End<'_> {
    /// Seals what this node is asked for, as far as its own manifest lets it.
    pub(super) fn send<'s>(
        &self,
        spec: &FleetSpec,
        sends: &'s [Send],
        sent: &mut SentAt,
        lease: LeaseId,
    ) -> Result<Vec<(&'s Send, Went)>, FleetError> {
        let now = self.host.installation().now();
        // What is not asked for any more was taken, or is needed no more.
        let over = |id: &str| sends.iter().all(|send| send.id != id);
        let gone: Vec<String> =
            sent.iter().filter(|(id, _)| over(id)).map(|(_, last)| last.key.clone()).collect();
        for part in gone.chunks(Transaction::MOST) {
            let removed = part.iter().fold(Transaction::default(), Transaction::remove);
            self.store.commit(removed)?;
        }
        sent.retain(|id, _| !over(id));
        let due = |send: &&Send| {
            sent.get(&send.id)
                .is_none_or(|last| now >= last.at.saturating_add(AGAIN) || now < last.at)
        };
        let due: Vec<&Send> = sends.iter().filter(due).collect();
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let observed = self.host.observe(Phase::Check);
        // Asked for a copy by name, it is not the decision that says which one.
        let proposal = Proposal {
            snapshot: observed.snapshot,
            ruling: Ruling::Decided(Decision::default(), Plan::default()),
            policy: String::new(),
            vault: observed.vault,
        };
        let mut all = Vec::new();
        for send in due {
            let key = self.space.sealed(&send.to, &send.id);
            let went = match self.sealed(spec, send, &proposal, now) {
                Ok(text) => {
                    // Without a look at what lies there: who seals need not be able to read it.
                    let put = Transaction::default().put_under(&key, text, Some(lease));
                    self.store.commit(put)?;
                    Went::Done
                }
                Err(why) => Went::Not(why),
            };
            let last = SentLast { key, at: now, went: went.clone() };
            // The same is not told again and again.
            if sent.insert(send.id.clone(), last).is_none_or(|last| last.went != went) {
                all.push((send, went));
            }
        }
        Ok(all)
    }

    fn sealed(
        &self,
        spec: &FleetSpec,
        send: &Send,
        proposal: &Proposal,
        now: u64,
    ) -> Result<String, String> {
        if !spec.may_send(&send.location) {
            return Err(format!(
                "this node's manifest does not let {} go to another node; [fleet] send = [\"...\"] does",
                send.location
            ));
        }
        let recipient = self
            .roster
            .recipient(&send.to)
            .ok_or_else(|| format!("the manifest has no `recipient` of the peer {}", send.to))?;
        let source = proposal
            .to_hand_over(&send.credential, Some(&send.location))
            .map_err(|error| error.to_string())?;
        if self.key.fingerprint(source.secret.expose_secret()) != send.fingerprint {
            return Err(format!("{} is another one by now", send.location));
        }
        let until = now.saturating_add(VALID.as_secs());
        let handover = Handover {
            credential: &send.credential,
            deployment: &proposal.snapshot.deployment,
            secret: source.secret,
            created: now,
            expires: source.expires.map_or(until, |expires| expires.min(until)),
        };
        seal(self.identity, &recipient, &handover).map_err(|error| error.to_string())
    }

    /// Whether something lies there for this node, but for rotations.
    pub(super) fn has_come(&self) -> Result<bool, FleetError> {
        let prefix = self.space.sealed(self.roster.me(), "");
        let entries = self.store.list(&prefix)?.entries;
        let mut ids = entries.iter().map(|entry| Space::name(&prefix, &entry.key));
        Ok(ids.any(|id| !id.starts_with(super::rotation::SEALED)))
    }

    /// Takes what lies there for this node: what it needs into its hand, and all of it out of the store.
    /// `needs` are what it needs, with the node that each is of.
    pub(super) fn receive(
        &self,
        state: &StateFolder,
        needs: &[(String, Send)],
        hand: &mut Hand,
    ) -> Result<Vec<(String, Went)>, FleetError> {
        let prefix = self.space.sealed(self.roster.me(), "");
        let mut all = Vec::new();
        for entry in self.store.list(&prefix)?.entries {
            let id = Space::name(&prefix, &entry.key);
            if id.starts_with(super::rotation::SEALED) {
                continue;
            }
            let taken = match needs.iter().find(|(_, need)| need.id == id) {
                Some((from, need)) => self.open(state, from, need, &entry.value)?,
                None => Err("nobody here asked for it".to_owned()),
            };
            let went = match taken {
                Ok((need, secret)) => {
                    hand.take(need.fingerprint, secret);
                    Went::Done
                }
                Err(why) => Went::Not(why),
            };
            let gone = Transaction::default()
                .when(Condition::Unchanged(entry.key.clone(), entry.changed))
                .remove(&entry.key);
            self.store.commit(gone)?;
            all.push((id.to_owned(), went));
        }
        Ok(all)
    }

    fn open<'n>(
        &self,
        state: &StateFolder,
        from: &str,
        need: &'n Send,
        text: &[u8],
    ) -> Result<Result<(&'n Send, SecretString), String>, FleetError> {
        let now = self.host.installation().now();
        let deployment = self.host.deployment();
        let receiver = Receiver { identity: self.identity, deployment, now };
        let accepted = match receiver.accept_any(text) {
            Ok(accepted) => accepted,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if accepted.peer != from {
            return Ok(Err(format!("it is by {}, and was asked of {from}", accepted.peer)));
        }
        let known = self.key.fingerprint(accepted.secret.expose_secret());
        if accepted.credential != need.credential || known != need.fingerprint {
            return Ok(Err(format!("{from} sent another secret than it published")));
        }
        let used = state.used_nonces();
        let is_new = used.take(&accepted.nonce, accepted.expires, now).map_err(Error::from)?;
        if !is_new {
            return Ok(Err("it was used here before".to_owned()));
        }
        Ok(Ok((need, accepted.secret)))
    }
}
