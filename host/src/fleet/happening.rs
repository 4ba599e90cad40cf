//! What happens on a node, in words for people and for scripts.

use std::fmt;

use super::{FleetError, NodeState, StoreError};

/// What happens on a node, for whoever watches it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Happening<'h> {
    /// The store is reached, for the first time or again.
    Connected,
    /// The store is not reached; the node goes on by what it follows.
    CutOff(&'h StoreError),
    /// It could not be reached for so long that the node decides by its last assignment alone.
    Alone {
        /// The generation that it goes on by; 0 for none.
        generation: u64,
    },
    /// This node is elected.
    Leads,
    /// Another node is by now.
    LeadsNoMore,
    /// It handed out assignments.
    HandedOut(usize),
    /// It follows a new one.
    Follows {
        /// Its number.
        generation: u64,
        /// Who decided it.
        leader: &'h str,
    },
    /// What stands in the store for this node is not followed.
    NotFollowed(&'h str),
    /// What was carried out.
    Changed(&'h [String]),
    /// What is left to a person after that, such as a restart.
    LeftToYou(&'h str),
    /// How the node stands by now.
    State(&'h NodeState),
    /// A secret is on its way to another node.
    Sent {
        /// The node.
        to: &'h str,
        /// The credential.
        credential: &'h str,
    },
    /// A secret is not sent, or not taken.
    NotSent {
        /// Which.
        what: &'h str,
        /// Why.
        why: &'h str,
    },
    /// A step of a rotation was this node's turn.
    Stepped {
        /// The credential.
        credential: &'h str,
        /// The step.
        stage: String,
        /// Why it failed, if it did.
        failed: Option<String>,
    },
    /// Something failed; the node goes on.
    Failed(&'h FleetError),
}

impl fmt::Display for Happening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("the store is reached"),
            Self::CutOff(error) => write!(f, "{error}; going on by what was assigned"),
            Self::Alone { generation: 0 } => {
                f.write_str("cut off for long, and nothing was ever assigned: nothing is done")
            }
            Self::Alone { generation } => {
                write!(f, "cut off for long: deciding alone, by generation {generation}")
            }
            Self::Leads => f.write_str("elected: this node decides for the fleet"),
            Self::LeadsNoMore => f.write_str("another node decides for the fleet"),
            Self::HandedOut(count) => write!(f, "{count} assignments handed out"),
            Self::Follows { generation, leader } => {
                write!(f, "following generation {generation} of {leader}")
            }
            Self::NotFollowed(why) => write!(f, "an assignment is not followed: {why}"),
            Self::Changed(changes) => write!(f, "changed: {}", changes.join(", ")),
            Self::LeftToYou(step) => write!(f, "left to you: {step}"),
            Self::State(state) => write!(f, "{state}"),
            Self::Sent { to, credential } => write!(f, "{credential} is on its way to {to}"),
            Self::NotSent { what, why } => write!(f, "{what}: {why}"),
            Self::Stepped { credential, stage, failed: None } => {
                write!(f, "rotation of {credential}: `{stage}` is done here")
            }
            Self::Stepped { credential, stage, failed: Some(why) } => {
                write!(f, "rotation of {credential}: `{stage}` failed here: {why}")
            }
            Self::Failed(error) => write!(f, "{error}"),
        }
    }
}

impl Happening<'_> {
    /// Stable word for scripts.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::CutOff(_) => "cut-off",
            Self::Alone { .. } => "alone",
            Self::Leads => "leads",
            Self::LeadsNoMore => "leads-no-more",
            Self::HandedOut(_) => "handed-out",
            Self::Follows { .. } => "follows",
            Self::NotFollowed(_) => "not-followed",
            Self::Changed(_) => "changed",
            Self::LeftToYou(_) => "left-to-you",
            Self::State(_) => "state",
            Self::Sent { .. } => "sent",
            Self::NotSent { .. } => "not-sent",
            Self::Stepped { .. } => "stepped",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether an operator should read of it.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        match self {
            Self::CutOff(_)
            | Self::Alone { .. }
            | Self::LeftToYou(_)
            | Self::NotFollowed(_)
            | Self::NotSent { .. }
            | Self::Failed(_) => true,
            Self::Stepped { failed, .. } => failed.is_some(),
            Self::State(state) => !matches!(state, NodeState::InOrder | NodeState::Unassigned),
            _ => false,
        }
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unassigned => f.write_str("nothing is assigned yet"),
            Self::InOrder => f.write_str("in order"),
            Self::Drift(why) => write!(f, "not in order: {why}"),
            Self::Waiting(what) => write!(f, "waiting {what}"),
            Self::Refused(why) => write!(f, "the policy refuses: {why}"),
            Self::Violated(why) => write!(f, "not allowed here: {why}"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}
