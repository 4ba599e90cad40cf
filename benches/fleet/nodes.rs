//! What so many nodes see and publish: each has a gateway and the logins of some agents.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use precedent::{
    Host,
    fleet::{Report, Seen, Space, Store, read_fleet_key, write_fleet_key},
    handover::NodeIdentity,
    model::Phase,
    observe::Memory,
    record::StateFolder,
    secret::Key,
};
use serde_json::{Map, json};

pub(crate) const FLEET: &str = "many";
/// The agents of a node: with the places of its gateway and its own they make 40.
const AGENTS: usize = 3;
const HOUR: u64 = 60 * 60 * 1000;

pub(crate) fn name(index: usize) -> String {
    format!("node-{index}")
}

/// The nodes of a fleet; the first is the one that will be elected.
pub(crate) struct Nodes {
    scene: PathBuf,
    identities: Vec<NodeIdentity>,
    key: Key,
    /// A host for looking at what the others have.
    template: Host,
    policy: String,
    now: u64,
}

impl Nodes {
    pub(crate) fn new(scene: &Path, count: usize) -> Result<Self> {
        let (path, state) = (scene.join("fleet.key"), scene.join("state"));
        write_fleet_key(&path)?;
        let mut identities = vec![StateFolder::new(state).make_identity()?];
        for _ in 1..count {
            identities.push(NodeIdentity::generate()?);
        }
        let mut manifest = format!(
            "deployment.preset = \"openclaw\"\npolicy.name = \"nodes\"\n[grants]\nwrite = [\"auth-profiles\"]\n[fleet]\nname = \"{FLEET}\"\nendpoints = [\"http://127.0.0.1:1\"]\nfingerprint-key = \"{}\"\nsend = [\"auth-profiles\"]\nleaders = [\"{}\"]\ninterval-seconds = 3600\n",
            path.display(),
            name(0),
        );
        for (index, identity) in identities.iter().enumerate() {
            let (recipient, signer) = (identity.recipient(), identity.signer());
            write!(
                manifest,
                "[[peers]]\nname = \"{}\"\nrecipient = \"{recipient}\"\nsigner = \"{signer}\"\n",
                name(index)
            )?;
        }
        fs::write(scene.join("precedent.toml"), &manifest)?;
        let key = read_fleet_key(&path)?;
        let template = Host::builder().policy("nodes").world(world(0, 0, false)).build()?;
        let policy = template.policy().digest().to_owned();
        let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        Ok(Self { scene: scene.to_owned(), identities, key, template, policy, now })
    }

    /// The host of the node that will be elected.
    pub(crate) fn host(&self) -> Result<Host> {
        Ok(Host::builder()
            .manifest(self.scene.join("precedent.toml"))
            .journal(self.scene.join("state"))
            .world(world(0, 0, false))
            .build()?)
    }

    pub(crate) fn publish(&self, index: usize, store: &dyn Store) -> Result<()> {
        self.report(index, 0, index % 10 == 0, store)
    }

    pub(crate) fn publish_ended(
        &self,
        index: usize,
        round: usize,
        store: &dyn Store,
    ) -> Result<()> {
        self.report(index, round + 1, index % 10 != 0, store)
    }

    fn report(&self, index: usize, round: usize, ended: bool, store: &dyn Store) -> Result<()> {
        let identity = self.identities.get(index).context("no such node")?;
        let seen = self.seen(index, round, ended);
        let report = Report::new(&name(index), seen, &self.key, &self.policy, self.now);
        Ok(report.publish(store, &Space::new(FLEET), (FLEET, identity))?)
    }

    fn seen(&self, index: usize, round: usize, ended: bool) -> Seen {
        let world = world(index, round, ended);
        let observed = self.template.installation().observe_in(&world, Phase::Repair);
        Seen::of(&observed, &self.key)
    }

    /// How many locations each has.
    pub(crate) fn locations(&self) -> usize {
        self.seen(0, 0, false).locations.len()
    }
}

/// A node's files.
fn world(index: usize, round: usize, ended: bool) -> Memory {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let mut world = Memory::default();
    let config = json!({
        "meta": {"lastTouchedVersion": "2026.7.35"},
        "gateway": {"auth": {"token": format!("gateway-{index}")}},
    });
    let home = PathBuf::from("/home/node/.openclaw");
    world.files.insert(home.join("openclaw.json"), config.to_string());
    let agents = (0..AGENTS).map(|agent| match agent {
        0 => "main".to_owned(),
        number => format!("work-{number}"),
    });
    for agent in agents {
        let ends = if ended { now - HOUR } else { now + 24 * HOUR + index as u64 * 1000 };
        let login = json!({
            "type": "oauth", "provider": "openai-codex", "accountId": "acct",
            "access": format!("access-{index}-{round}"), "refresh": format!("refresh-{index}"),
            "expires": ends, "refreshExpires": now - HOUR,
        });
        let mut profiles = Map::new();
        profiles.insert("openai-codex:default".to_owned(), login);
        let file = json!({"version": 1, "profiles": profiles});
        let path = home.join("agents").join(agent).join("agent/auth-profiles.json");
        world.files.insert(path, file.to_string());
    }
    world
}
