//! A new secret everywhere, in an order that locks nobody out: it is accepted everywhere before anybody uses it,
//! and the old one until nobody does.
//!
//! ```text
//! accept   every server takes the new secret beside its own     (locations of `[fleet.rotation] accepts`)
//! use      node by node: the policy puts the new one in the place of the old; where a server takes a second
//!          one, that becomes the old one, in the same write
//! retire   every server forgets the second one
//! ```
//!
//! It stops at the first failure, with everything that works still working. Then it is resumed, or undone: back
//! node by node to what each had, and only then is the new secret forgotten. Once the old one is being retired
//! there is no way back but another rotation.
//!
//! | module | what |
//! |---|---|
//! | `drive` | who rotates: a step at a time, under a guard |
//! | `step` | what each node does of it |

mod drive;
mod step;

use serde::{Deserialize, Serialize};

use super::{
    Roster, Space,
    signed::{self, Document},
    store::Entry,
};
use crate::secret::Fingerprint;

pub use drive::{Driver, Start, Told};
pub(super) use step::Stepper;

/// How the ids of secrets that are on their way for a rotation begin.
pub(super) const SEALED: &str = "rotation-";

/// A step of a rotation, in the order of the way there; on the way back they are undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Stage {
    /// Servers take the new secret beside their own.
    Accept,
    /// The new one takes the place of the old one.
    Use,
    /// Servers forget the old one.
    Retire,
    /// It is over.
    Over,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Use => "use",
            Self::Retire => "retire",
            Self::Over => "over",
        })
    }
}

/// Which way a rotation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Direction {
    /// To the new secret.
    Forward,
    /// Back to the old one.
    Back,
}

/// How a rotation stands, as its driver says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rotation {
    /// What tells it from others.
    pub id: String,
    /// The credential.
    pub credential: String,
    /// The node at which it began, and that sealed the new secret.
    pub by: String,
    /// The node from which it is driven by now.
    pub driver: String,
    /// When it began, in seconds since 1970.
    pub begun: u64,
    /// Grows with all that its driver says: what has a lower one is over.
    pub count: u64,
    /// The fleet's fingerprint of the new secret.
    pub fingerprint: Fingerprint,
    /// The nodes, in the order in which they change.
    pub nodes: Vec<String>,
    /// The step.
    pub stage: Stage,
    /// Which way.
    pub direction: Direction,
    /// The nodes whose turn it is, or was, in this step.
    pub turn: Vec<String>,
    /// Why it stopped, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

impl Document for Rotation {
    const SCHEMA: &'static str = "precedent.fleet-rotation/1";

    fn author(&self) -> &str {
        &self.driver
    }
}

impl Rotation {
    /// What stands in the store, if it is believed: who drives it, and who began it, may lead.
    pub(super) fn read(roster: &Roster, space: &Space, entry: &Entry) -> Option<Self> {
        let rotation: Self = signed::read(roster, &entry.value).ok()?;
        let is_its = entry.key == space.rotation(&rotation.credential);
        let may = roster.may_lead(&rotation.driver) && roster.may_lead(&rotation.by);
        (is_its && may).then_some(rotation)
    }

    /// Whether nobody has anything to do for it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }
}

/// How far a node is with a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Progress {
    /// The node.
    pub node: String,
    /// The rotation.
    pub id: String,
    /// The credential.
    pub credential: String,
    /// What of its driver this answers.
    pub count: u64,
    /// The step.
    pub stage: Stage,
    /// Which way.
    pub direction: Direction,
    /// Why it failed; none where it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Document for Progress {
    const SCHEMA: &'static str = "precedent.fleet-progress/1";

    fn author(&self) -> &str {
        &self.node
    }
}

impl Progress {
    /// Whether a node is done with a step.
    fn is_done(&self, rotation: &Rotation) -> bool {
        self.failed.is_none()
            && (&self.id, self.stage, self.direction)
                == (&rotation.id, rotation.stage, rotation.direction)
    }
}

/// Why a rotation does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotationFault {
    /// Nodes are missing, so that they would be locked out.
    #[error("{} cannot take part: {why}; mend that, or leave it out with --without, and it is locked out", .nodes.join(", "))]
    Missing {
        /// The nodes.
        nodes: Vec<String>,
        /// Why.
        why: String,
    },
    /// One is under way.
    #[error(
        "a rotation of {credential} is under way since {since} ({at}); go on with --resume, or back with --undo"
    )]
    UnderWay {
        /// The credential.
        credential: String,
        /// Since when, in words.
        since: String,
        /// How it stands.
        at: String,
    },
    /// There is none to go on with.
    #[error("no rotation of {0} is under way")]
    None(String),
    /// What stands in the store of one is not believed.
    #[error(
        "what stands at {0} is not believed: whoever rotates from there may not lead by this node's manifest; see what its nodes have, then remove the key with `etcdctl del`"
    )]
    Unbelieved(String),
    /// The old secret is forgotten by some.
    #[error(
        "the old secret is being forgotten already, so there is no way back; --resume finishes it, and then rotate once more"
    )]
    TooLate,
    /// This node's manifest does not let it lead, so that nobody would follow.
    #[error("{0} is none of the leaders of the manifest, so no node would follow it")]
    NotALeader(String),
    /// A node failed, or said nothing.
    #[error(
        "stopped at `{stage}`: {why}; everything that worked still does. --resume goes on, --undo goes back"
    )]
    Stopped {
        /// The step.
        stage: Stage,
        /// Which node, and why.
        why: String,
    },
}
