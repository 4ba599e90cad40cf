//! Many nodes that agree through a store that they share.
//!
//! Each node publishes what it sees, without a secret: fingerprints under a key that the fleet shares. One
//! node is elected; it asks the policy for every node, with what the others have beside what that node has, and
//! hands out assignments. A node decides once more by itself, on what is true there by now, and keeps its own
//! grants: an assignment says under which policy, with which settings, and with what of the others to decide,
//! never what to write. What a node needs of another comes sealed to it.
//!
//! ```text
//! every node      observe ─▶ report (signed)                       ┌─▶ accept ─▶ rule ─▶ apply ─▶ report
//! the elected     reports ─▶ view, decide ─▶ assignments (signed) ─┤
//! who has a copy                                                   └─▶ seal to who needs it
//! ```
//!
//! The store is trusted with nothing but to be there: what stands in it is signed by the keys of the manifest's
//! `[[peers]]`, bound to its fleet, its node and its kind, and numbered, so that whoever can write to it can
//! neither speak for a node nor bring back what is over.
//!
//! | module | what |
//! |---|---|
//! | `store` | what all nodes share, and the engines that it may be |
//! | `space` | where what stands |
//! | `roster` | who the nodes are |
//! | `signed` | what a node wrote, and nobody else |
//! | `report` | what a node publishes of itself |
//! | `view` | what a node is shown of the others |
//! | `assignment` | what is decided for a node |
//! | `lead` | what the elected node does |
//! | `follow` | what every node does with its assignment |
//! | `transfer` | secrets on their way, each sealed to one node |
//! | `session` | the lease of a node, and its election |
//! | `guard` | what only one node may do at a time |
//! | `renewal` | renewing a login once in the whole fleet |
//! | `rotation` | a new secret everywhere, in an order that locks nobody out |
//! | `agent` | one node, for as long as it runs |
//! | `status` | how a fleet stands, as its store says |
//! | `happening` | what happens on a node, in words |
//! | `standing` | how a node stands, as it keeps it on its disk |
//! | `kept` | what a node keeps of the fleet on its disk |

pub mod store;

mod agent;
mod assignment;
mod follow;
mod guard;
mod happening;
mod kept;
mod lead;
mod renewal;
mod report;
mod roster;
mod rotation;
mod session;
mod signed;
mod space;
mod standing;
mod status;
mod transfer;
mod view;

use std::path::PathBuf;

use crate::{Error, handover::Signer, record::RecordError};

pub use agent::Agent;
pub use assignment::{Assignment, Decided, Send, Terms};
pub use follow::{Accepted, Carried, Hand};
pub use guard::{Guard, Holder};
pub use happening::Happening;
pub use kept::{FleetFolder, fleet_key, read_fleet_key, write_fleet_key};
pub use lead::{Board, Leader, preview};
pub use renewal::{Renewal, Renewer, renew};
pub use report::{NodeState, Report, Seen, SeenLocation};
pub use roster::Roster;
pub use rotation::{Direction, Driver, Progress, Rotation, RotationFault, Stage, Start, Told};
pub use session::Session;
pub use space::Space;
pub use standing::Standing;
pub use status::{FleetStatus, NodeStatus};
pub use store::{Store, StoreError};
pub use view::Foreign;

/// Why a node cannot take part, or could not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stage of the host.
    #[error(transparent)]
    Host(#[from] Error),
    /// What is kept on this node's disk.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The manifest has no fleet.
    #[error("the manifest has no [fleet]; docs/fleet.md says what belongs there")]
    NoFleet,
    /// This node is none of the manifest's peers.
    #[error(
        "this node is none of the fleet's: no peer of the manifest has its signer; add to its [[peers]]: signer = \"{0}\""
    )]
    NotAPeer(Signer),
    /// There is no folder for what is kept.
    #[error(
        "a node of a fleet keeps what it follows; set PRECEDENT_STATE_DIR to a folder that can be written and that stays"
    )]
    NoState,
    /// This node has no keys yet.
    #[error(
        "this node has no identity yet; run `precedent identity`, and add what it prints to the manifests of the fleet"
    )]
    NoIdentity,
    /// Another agent has this node.
    #[error("another agent of this node runs ({} is its lock); one is enough", .0.display())]
    AgentRuns(PathBuf),
    /// The key for fingerprints cannot be used.
    #[error("cannot use the fleet's key {}: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why, and the way out.
        reason: String,
    },
    /// There is no randomness.
    #[error("this machine has no randomness to give: {0}")]
    Random(#[from] std::io::Error),
    /// Another node does it.
    #[error(
        "{node} is at it since {since}; wait, or see what it does with `precedent fleet status`"
    )]
    Guarded {
        /// The node.
        node: String,
        /// Since when, in words.
        since: String,
    },
    /// This node does not lead what it tried to write as the leader.
    #[error("another node leads by now, or decided in between; nothing was written")]
    NotLeading,
    /// A rotation.
    #[error(transparent)]
    Rotation(#[from] RotationFault),
    /// A renewal that cannot be begun.
    #[error("{0}")]
    Renewal(String),
}

impl FleetError {
    /// Whether the same may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Host(error) => error.is_retryable(),
            Self::Record(_) | Self::Random(_) | Self::Guarded { .. } | Self::NotLeading => true,
            Self::NoFleet
            | Self::NoState
            | Self::AgentRuns(_)
            | Self::NoIdentity
            | Self::NotAPeer(_)
            | Self::Key { .. }
            | Self::Rotation(_)
            | Self::Renewal(_) => false,
        }
    }
}
