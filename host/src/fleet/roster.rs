//! Who the nodes of a fleet are: the manifest's peers, this node among them.

use super::FleetError;
use crate::{
    config::{Deployment, FleetSpec, PeerSpec},
    handover::{NodeIdentity, Recipient, Signer},
};

/// The nodes of a fleet as this node's own manifest knows them: the store is not asked who they are.
#[derive(Debug, Clone)]
pub struct Roster {
    fleet: String,
    me: String,
    peers: Vec<PeerSpec>,
    leaders: Vec<String>,
}

impl Roster {
    /// The nodes of a deployment's fleet. This node is the peer with its signer, so that one manifest serves
    /// all of them.
    ///
    /// # Errors
    ///
    /// Where the manifest has no fleet, and where this node is none of it.
    pub fn of(deployment: &Deployment, identity: &NodeIdentity) -> Result<Self, FleetError> {
        let spec = deployment.fleet.as_ref().ok_or(FleetError::NoFleet)?;
        Self::new(spec, &deployment.peers, identity)
    }

    fn new(
        spec: &FleetSpec,
        peers: &[PeerSpec],
        identity: &NodeIdentity,
    ) -> Result<Self, FleetError> {
        let signer = identity.signer();
        let is_me = |peer: &&PeerSpec| peer.signer == Some(signer.bytes());
        let me = peers.iter().find(is_me).ok_or(FleetError::NotAPeer(signer))?;
        Ok(Self {
            fleet: spec.name.clone(),
            me: me.name.clone(),
            peers: peers.to_vec(),
            leaders: spec.leaders.clone(),
        })
    }

    /// Name of the fleet.
    #[must_use]
    pub fn fleet(&self) -> &str {
        &self.fleet
    }

    /// Name of this node.
    #[must_use]
    pub fn me(&self) -> &str {
        &self.me
    }

    /// The names of all nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.peers.iter().filter(|peer| peer.signer.is_some()).map(|peer| peer.name.as_str())
    }

    /// Whether the assignments of a node are followed.
    #[must_use]
    pub fn may_lead(&self, node: &str) -> bool {
        self.leaders.iter().any(|leader| leader == node)
    }

    /// Who signs what a node writes.
    pub(super) fn signer(&self, node: &str) -> Option<Signer> {
        self.peer(node).and_then(|peer| peer.signer).and_then(Signer::new)
    }

    /// To whom what is for a node is sealed.
    pub(super) fn recipient(&self, node: &str) -> Option<Recipient> {
        self.peer(node)?.recipient.as_ref()?.parse().ok()
    }

    fn peer(&self, node: &str) -> Option<&PeerSpec> {
        self.peers.iter().find(|peer| peer.name == node)
    }
}
