//! The reference request at every size, and requests that chance made.
//!
//! Twelve places and five programs stand around each credential: the source of truth in a variable,
//! one copy that agrees, nine that differ or are missing and can be written, and one that differs and
//! is left alone, for it cannot. So a request has as many times twelve places as credentials, five
//! verdicts and nine actions for each; the last credential has what is left of the places.

use std::collections::BTreeMap;

use precedent::{
    model::{
        self, Consumer, CredentialId, Location, LocationKind, Phase, Place, Reference,
        ReferenceKind, Snapshot,
    },
    secret::Key,
};
use precedent_bench_extism::request::{self as plain, Kind, Presence, Program, Request};

/// What all are asked, in the form that each takes.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) plain: Request,
    pub(crate) snapshot: Snapshot,
}

/// Places around each credential.
const PLACES: usize = 12;
const PROGRAMS: [&str; 5] = ["gateway", "cli", "tui", "probe", "node-host"];

impl Asked {
    /// The reference request with so many places.
    pub(crate) fn of_size(places: usize) -> Self {
        let groups = places.div_ceil(PLACES);
        let all = (0..places).map(|index| reference(index / PLACES, index % PLACES));
        Self::new(groups, all.collect())
    }

    /// A request that chance makes of a seed: any presence, any kind, any order.
    pub(crate) fn of_chance(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let (groups, places) = (1 + chance.below(4) as usize, 1 + chance.below(40) as usize);
        let kinds = [Kind::Environment, Kind::Document, Kind::Dotenv, Kind::Unit];
        let presences =
            [Presence::Absent, Presence::Placeholder, Presence::Plain, Presence::Reference];
        let all = (0..places).map(|index| {
            let presence = presences[chance.below(4) as usize];
            let secret =
                matches!(presence, Presence::Plain | Presence::Reference).then(|| chance.below(5));
            plain::Place {
                name: format!("place-{index}"),
                label: format!("place {index}"),
                credential: chance.below(groups as u32),
                kind: kinds[chance.below(4) as usize],
                presence,
                secret,
                writable: chance.below(4) > 0,
            }
        });
        Self::new(groups, all.collect())
    }

    fn new(groups: usize, locations: Vec<plain::Place>) -> Self {
        let programs = |credential| {
            PROGRAMS.map(|name| Program { name: name.to_owned(), credential: credential as u32 })
        };
        let plain = Request {
            credentials: (0..groups).map(|group| format!("token-{group}")).collect(),
            locations,
            consumers: (0..groups).flat_map(programs).collect(),
        };
        Self { snapshot: snapshot(&plain), plain }
    }
}

/// One of the places around a credential, in the words of a gateway's operator.
fn reference(group: usize, index: usize) -> plain::Place {
    use Kind::{Document, Dotenv, Environment, Unit};
    use Presence::{Absent, Placeholder, Plain, Reference};
    let (name, label, kind, presence, secret) = match index {
        0 => ("env.gateway-token", "OPENCLAW_GATEWAY_TOKEN", Environment, Plain, Some(0)),
        1 => ("env.legacy-token", "CLAWDBOT_GATEWAY_TOKEN", Environment, Plain, Some(1)),
        2 => ("config.auth-token", "gateway.auth.token", Document, Plain, Some(1)),
        3 => ("config.remote-token", "gateway.remote.token", Document, Plain, Some(2)),
        4 => ("config.node-token", "nodes.remote.token", Document, Absent, None),
        5 => ("config.hook-token", "hooks.token", Document, Reference, Some(1)),
        6 => ("config.bridge-token", "bridge.token", Document, Plain, Some(0)),
        7 => ("dotenv.gateway-token", "OPENCLAW_GATEWAY_TOKEN in .env", Dotenv, Plain, Some(1)),
        8 => ("dotenv.node-token", "OPENCLAW_NODE_TOKEN in .env", Dotenv, Placeholder, None),
        9 => ("unit.gateway-token", "Environment= of the gateway", Unit, Plain, Some(2)),
        10 => ("unit.node-token", "Environment= of the node host", Unit, Plain, Some(3)),
        _ => ("unit.drop-in-token", "Environment= of a drop-in", Unit, Absent, None),
    };
    plain::Place {
        name: format!("{name}-{group}"),
        label: label.to_owned(),
        credential: group as u32,
        kind,
        presence,
        // Four secrets around each credential, and none of another's.
        secret: secret.map(|secret| 4 * group as u32 + secret),
        writable: true,
    }
}

/// The same as the host would have observed it.
fn snapshot(request: &Request) -> Snapshot {
    let key = Key::new([7; 32]);
    let secret = |number: u32| key.fingerprint(&format!("canary-{number}"));
    let locations = request.locations.iter().map(|place| Location {
        name: place.name.clone(),
        credential: CredentialId(place.credential),
        kind: match place.kind {
            Kind::Environment => LocationKind::Environment,
            Kind::Document => LocationKind::Document,
            Kind::Dotenv => LocationKind::Dotenv,
            Kind::Unit => LocationKind::Unit,
        },
        label: place.label.clone(),
        node: None,
        presence: match place.presence {
            Presence::Absent => model::Presence::Absent,
            Presence::Placeholder => model::Presence::Placeholder,
            Presence::Plain => place
                .secret
                .map_or(model::Presence::Absent, |number| model::Presence::Plain(secret(number))),
            Presence::Reference => model::Presence::Reference(Reference {
                kind: ReferenceKind::Environment,
                target: "OPENCLAW_HOOK_TOKEN".to_owned(),
                resolved: place.secret.map(secret),
            }),
        },
        expires: None,
        refresh_expires: None,
        expiry: None,
        shown: None,
        modified: Some(1_774_569_600),
        writable: place.writable,
        durable: place.kind != Kind::Environment,
        place: Place::Variable(place.name.clone()),
        attributes: BTreeMap::new(),
    });
    let consumers = request.consumers.iter().map(|program| Consumer {
        name: program.name.clone(),
        credential: CredentialId(program.credential),
        node: None,
        attributes: BTreeMap::new(),
    });
    Snapshot {
        deployment: "reference".to_owned(),
        phase: Phase::Check,
        now: 1_774_569_600,
        settings: serde_json::json!({}),
        credentials: request.credentials.clone(),
        locations: locations.collect(),
        consumers: consumers.collect(),
        facts: BTreeMap::new(),
        files: Vec::new(),
        findings: Vec::new(),
    }
}

/// A small generator, so that a request that two disagree on comes again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(most.max(1))) as u32
    }
}
