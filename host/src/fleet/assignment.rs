//! What is decided for a node: under which policy, with which settings, and with what of the others.

use serde::{Deserialize, Serialize};

use super::{report::digest, signed::Document, view::Foreign};
use crate::{
    model::{Decision, Deed, Phase, Snapshot},
    secret::Fingerprint,
};

/// What is decided for a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Assignment {
    /// The node.
    pub node: String,
    /// The node that decided.
    pub leader: String,
    /// Grows with all that the fleet decides: what has a lower one is over.
    pub generation: u64,
    /// When it was decided, in seconds since 1970, by the leader's clock.
    pub at: u64,
    /// What holds until the next one.
    #[serde(flatten)]
    pub terms: Terms,
}

/// What an assignment says: two that say the same are not handed out twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Terms {
    /// Digest of the policy that decided, and that the node must have to follow.
    pub policy: String,
    /// The settings that it was asked with.
    pub settings: serde_json::Value,
    /// For what it was asked.
    pub phase: Phase,
    /// The copies of other nodes that it was shown.
    pub view: Vec<Foreign>,
    /// What it answered.
    pub decided: Decided,
    /// What the node is asked to hand to others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sends: Vec<Send>,
}

impl Terms {
    /// What takes its place where it is more than a store takes: nothing of the others.
    pub(super) fn too_large(&self, bytes: usize) -> Self {
        let why = format!(
            "what this node is to be shown of the others has {bytes} bytes, which is more than the store takes"
        );
        Self {
            policy: self.policy.clone(),
            settings: serde_json::json!({}),
            phase: self.phase,
            view: Vec::new(),
            decided: Decided::Failed(why),
            sends: Vec::new(),
        }
    }
}

/// What the policy answered, for people: the node asks it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decided {
    /// What is to be done; nothing where all is in order.
    Actions(Vec<String>),
    /// It says no, and why.
    Refused(String),
    /// It could not answer, and why.
    Failed(String),
}

/// A copy that a node is asked to seal to another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Send {
    /// What it is known by while it is on its way.
    pub id: String,
    /// To whom.
    pub to: String,
    /// Name of the credential.
    pub credential: String,
    /// The place whose copy it is.
    pub location: String,
    /// The fleet's fingerprint of the secret: another one is not sent.
    pub fingerprint: Fingerprint,
}

impl Send {
    /// What a node needs of another: both come to the same id by themselves.
    pub(super) fn new(to: &str, foreign: &Foreign, fingerprint: Fingerprint) -> Self {
        let Foreign { node, credential, copy } = foreign;
        Self {
            id: digest(&(to, node, credential, &copy.name, fingerprint)),
            to: to.to_owned(),
            credential: credential.clone(),
            location: copy.name.clone(),
            fingerprint,
        }
    }
}

impl Document for Assignment {
    const SCHEMA: &'static str = "precedent.fleet-assignment/1";

    fn author(&self) -> &str {
        &self.leader
    }
}

impl Decided {
    /// What a decision comes to, by names.
    pub(super) fn of(snapshot: &Snapshot, decision: &Decision) -> Self {
        let name = |id| snapshot.name_of(id);
        let words = decision.actions.iter().filter_map(|action| match &action.deed {
            Deed::Write { from, to } => Some(format!("write {} -> {}", name(*from), name(*to))),
            Deed::Refer { from, to } => Some(format!("refer {} -> {}", name(*from), name(*to))),
            Deed::Remove(location) => Some(format!("remove {}", name(*location))),
            Deed::Mint { to, .. } => Some(format!("mint {}", name(*to))),
            Deed::Refresh(location) => Some(format!("refresh {}", name(*location))),
            Deed::SetFact { key, value } => Some(format!("set {key} = {value}")),
            Deed::Restart(consumer) => {
                let consumer = snapshot.consumers.get(consumer.index());
                consumer.map(|consumer| format!("restart {}", consumer.name))
            }
            Deed::Alert { .. } => None,
        });
        Self::Actions(words.collect())
    }
}
