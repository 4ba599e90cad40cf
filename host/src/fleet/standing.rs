//! How a node stands, as it keeps it on its disk.

use serde::{Deserialize, Serialize};

use super::{FleetError, FleetFolder, NodeState};
use crate::record::{RecordError, moment};

/// Under which name a node keeps how it stands.
const STATUS: &str = "status.json";

/// How a node stands, as it keeps it on its disk: what can be told without the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Standing {
    /// The node.
    pub node: String,
    /// When this was written, in seconds since 1970.
    pub at: u64,
    /// Since when the store cannot be reached, and why; none where it can.
    pub cut_off: Option<(u64, String)>,
    /// The generation that it follows; 0 for none.
    pub generation: u64,
    /// Who decided that.
    pub leader: Option<String>,
    /// What became of it.
    pub state: NodeState,
}

impl FleetFolder {
    pub(super) fn keep_standing(&self, standing: &Standing) -> Result<(), RecordError> {
        self.keep(STATUS, standing)
    }

    /// How this node stood when its agent last ran; none where none ever did.
    ///
    /// # Errors
    ///
    /// Where what is kept cannot be read.
    pub fn standing(&self) -> Result<Option<Standing>, FleetError> {
        Ok(self.kept(STATUS)?)
    }
}

impl Standing {
    /// In words, for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let follows = match &self.leader {
            Some(leader) => format!("follows generation {} of {leader}", self.generation),
            None => "follows nothing yet".to_owned(),
        };
        match &self.cut_off {
            Some((since, why)) => format!("{follows}; cut off since {}: {why}", moment(*since)),
            None => follows,
        }
    }
}
