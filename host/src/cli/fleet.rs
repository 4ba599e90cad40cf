//! `precedent fleet`
//!
//! | module | what |
//! |---|---|
//! | `key` | makes the key for fingerprints that all nodes share |
//! | `status` | how every node stands |
//! | `plan` | what would be decided for every node now |
//! | `rotate` | a new secret everywhere |
//! | `renew` | runs what renews a login, once in the whole fleet |

mod key;
mod plan;
mod renew;
mod rotate;
mod status;

use std::time::Duration;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};
use precedent::{
    fleet::{
        FleetError, Roster, Space, fleet_key,
        store::{Etcd, EtcdAccess},
    },
    handover::NodeIdentity,
    model::Phase,
    observe::{Machine, World},
    record::StateFolder,
    secret::Key,
};

use super::{args::Selection, exit::Exit, identity, session::Session};

/// How long the store has for an answer.
const ANSWER: Duration = Duration::from_secs(5);

#[derive(Debug, ClapArgs)]
pub(crate) struct FleetArgs {
    #[command(subcommand)]
    verb: FleetVerb,
}

#[derive(Debug, Subcommand)]
enum FleetVerb {
    /// Make the key for fingerprints that all nodes of a fleet share
    Key(key::KeyArgs),
    /// Show how every node stands
    Status(status::StatusArgs),
    /// Show what would be decided for every node now, and which secrets would travel
    Plan(plan::FleetPlanArgs),
    /// Put a new secret in the place of the old one on every node, in an order that locks nobody out
    Rotate(rotate::FleetRotateArgs),
    /// Run what renews a login, unless another node does or just did
    Renew(renew::RenewArgs),
}

pub(crate) fn run(args: &FleetArgs) -> Result<Exit> {
    match &args.verb {
        FleetVerb::Key(options) => key::run(options),
        FleetVerb::Status(options) => status::run(options),
        FleetVerb::Plan(options) => plan::run(options),
        FleetVerb::Rotate(options) => rotate::run(options),
        FleetVerb::Renew(options) => renew::run(options),
    }
}

/// This node as one of its fleet.
pub(super) struct Member {
    pub(super) session: Session,
    pub(super) identity: NodeIdentity,
    pub(super) roster: Roster,
    pub(super) space: Space,
    pub(super) key: Key,
    pub(super) store: Etcd,
}

impl Member {
    pub(super) fn open(verb: &'static str, selection: &Selection, phase: Phase) -> Result<Self> {
        let session = Session::open(verb, selection, phase)?;
        let deployment = session.host.deployment();
        // Before the identity: who has no fleet needs none.
        let spec = deployment.fleet.as_ref().ok_or(FleetError::NoFleet)?;
        let (identity, _) = identity::of(&session)?;
        let roster = Roster::of(deployment, &identity)?;
        let world = Machine::default();
        let key = fleet_key(deployment, &world)?;
        let exists = |path: &std::path::Path| world.exists(path);
        let path = |file: &Option<precedent::config::PathTemplate>| {
            let file = file.as_ref()?;
            file.resolve(&deployment.base, &|name| world.variable(name), &exists)
        };
        let store = Etcd::connect(&EtcdAccess {
            endpoints: spec.endpoints.clone(),
            ca: path(&spec.ca),
            certificate: path(&spec.certificate),
            key: path(&spec.key),
            time: ANSWER,
        })
        .map_err(FleetError::from)?;
        let space = Space::new(&spec.name);
        Ok(Self { identity, roster, space, key, store, session })
    }

    pub(super) fn state(&self) -> Option<&StateFolder> {
        self.session.host.installation().state()
    }

    pub(super) fn now(&self) -> u64 {
        self.session.host.installation().now()
    }
}
