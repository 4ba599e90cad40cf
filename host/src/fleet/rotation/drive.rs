//! Who rotates: a step at a time, under a guard, so that nobody else does.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};

use super::{Direction, Progress, Rotation, RotationFault, SEALED, Stage};
use crate::{
    fleet::{
        Board, FleetError, Guard, Roster, Space, Store,
        kept::told_by,
        signed,
        store::{Committed, LeaseId, Transaction},
    },
    handover::{Handover, LONGEST_VALID, NodeIdentity, seal},
    record::moment,
    secret::{Key, hex},
};

/// How often to see how far the nodes are.
const PAUSE: Duration = Duration::from_millis(200);

/// What a rotation begins with.
#[derive(Debug)]
pub struct Start<'s> {
    /// The new secret.
    pub secret: &'s SecretString,
    /// What the deployment is called here.
    pub deployment: &'s str,
    /// The nodes that are left out.
    pub without: &'s [String],
}

/// What happens in a rotation, for who waits.
#[derive(Debug)]
#[non_exhaustive]
pub enum Told<'t> {
    /// A step begins.
    Begins(&'t Rotation),
    /// A node is done with it.
    Done(&'t str),
}

/// Who rotates a credential.
pub struct Driver<'d> {
    /// The store.
    pub store: &'d dyn Store,
    /// Where what stands in it.
    pub space: &'d Space,
    /// Who the nodes are.
    pub roster: &'d Roster,
    /// The keys of this node.
    pub identity: &'d NodeIdentity,
    /// The fleet's key for fingerprints.
    pub key: &'d Key,
    /// What time it is, in seconds since 1970.
    pub now: u64,
    /// How many nodes change at a time.
    pub at_once: usize,
    /// How long a node may take for a step.
    pub patience: Duration,
    /// Who is told.
    pub tell: &'d dyn Fn(Told<'_>),
}

impl std::fmt::Debug for Driver<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("fleet", &self.roster.fleet()).finish_non_exhaustive()
    }
}

impl Driver<'_> {
    /// How a rotation of a credential stands; none where there was none.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn status(&self, credential: &str) -> Result<Option<Rotation>, FleetError> {
        let Some(entry) = self.store.get(&self.space.rotation(credential))? else {
            return Ok(None);
        };
        let rotation = Rotation::read(self.roster, self.space, &entry);
        // One that nobody here believes may be under way all the same.
        rotation.map(Some).ok_or_else(|| RotationFault::Unbelieved(entry.key).into())
    }

    /// The nodes that would take part, in the order in which they change, if all that are not left out can.
    ///
    /// # Errors
    ///
    /// Those of the store, and the nodes that cannot, with the reason.
    pub fn nodes(&self, without: &[String]) -> Result<Vec<String>, FleetError> {
        let board = Board::read(self.store, self.space, self.roster)?;
        let key = told_by(self.key);
        let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut nodes = Vec::new();
        for node in self.roster.nodes().filter(|node| !without.iter().any(|one| one == node)) {
            let why = if !board.alive.contains(node) {
                Some("no agent runs there")
            } else if board.reports.get(node).is_none_or(|report| report.key != key) {
                Some("it has another key for fingerprints, or published nothing that is believed")
            } else if self.roster.recipient(node).is_none() {
                Some("the manifest here has no `recipient` of it")
            } else {
                None
            };
            match why {
                Some(why) => missing.entry(why).or_default().push(node.to_owned()),
                None => nodes.push(node.to_owned()),
            }
        }
        match missing.into_iter().next() {
            Some((why, nodes)) => Err(RotationFault::Missing { nodes, why: why.to_owned() }.into()),
            None => Ok(nodes),
        }
    }

    /// Rotates: begins, and goes on until all is done or a node fails.
    ///
    /// # Errors
    ///
    /// Those of the store; where one is under way, a node is missing, another node rotates it, or a node failed.
    pub fn begin(&self, credential: &str, start: &Start<'_>) -> Result<Rotation, FleetError> {
        self.may_drive()?;
        let guard = self.guard(credential)?;
        if let Some(under_way) = self.status(credential)?.filter(|rotation| !rotation.is_over()) {
            return Err(RotationFault::UnderWay {
                credential: credential.to_owned(),
                since: moment(under_way.begun),
                at: at(&under_way),
            }
            .into());
        }
        let nodes = self.nodes(start.without)?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(std::io::Error::from)?;
        let mut rotation = Rotation {
            id: hex(&id),
            credential: credential.to_owned(),
            by: self.roster.me().to_owned(),
            driver: self.roster.me().to_owned(),
            begun: self.now,
            count: 0,
            fingerprint: self.key.fingerprint(start.secret.expose_secret()),
            nodes,
            stage: Stage::Accept,
            direction: Direction::Forward,
            turn: Vec::new(),
            stopped: None,
        };
        let lease = self.store.lease(LONGEST_VALID)?;
        self.lay_out(&guard, &mut rotation, start, lease).inspect_err(|_| {
            // What was sealed already is of no use. It ends by itself where this fails.
            let _ = self.store.end(lease);
        })?;
        self.go_on(&guard, rotation)
    }

    /// Goes on with a rotation that stopped, or whose driver is gone.
    ///
    /// # Errors
    ///
    /// Those of [`Driver::begin`], and where none is under way.
    pub fn resume(&self, credential: &str, without: &[String]) -> Result<Rotation, FleetError> {
        self.may_drive()?;
        let guard = self.guard(credential)?;
        let rotation = self.under_way(credential, without)?;
        self.go_on(&guard, rotation)
    }

    /// Goes back to the old secret, node by node.
    ///
    /// # Errors
    ///
    /// Those of [`Driver::resume`], and where the old one is being forgotten already.
    pub fn undo(&self, credential: &str, without: &[String]) -> Result<Rotation, FleetError> {
        self.may_drive()?;
        let guard = self.guard(credential)?;
        let mut rotation = self.under_way(credential, without)?;
        if rotation.stage == Stage::Retire {
            return Err(RotationFault::TooLate.into());
        }
        if rotation.direction == Direction::Forward {
            rotation.direction = Direction::Back;
            rotation.turn = Vec::new();
        }
        self.go_on(&guard, rotation)
    }

    fn may_drive(&self) -> Result<(), FleetError> {
        let me = self.roster.me();
        if self.roster.may_lead(me) {
            Ok(())
        } else {
            Err(RotationFault::NotALeader(me.to_owned()).into())
        }
    }

    fn guard(&self, credential: &str) -> Result<Guard<'_>, FleetError> {
        let name = format!("rotate/{credential}");
        Guard::take(self.store, self.space, &name, (self.roster.me(), self.now), Duration::ZERO)
    }

    fn under_way(&self, credential: &str, without: &[String]) -> Result<Rotation, FleetError> {
        let rotation = self.status(credential)?.filter(|rotation| !rotation.is_over());
        let rotation = rotation.ok_or_else(|| RotationFault::None(credential.to_owned()))?;
        // Whoever says how it stands signs it.
        let driver = self.roster.me().to_owned();
        let mut rotation = Rotation { stopped: None, driver, ..rotation };
        // A node that is gone for good must not keep the others.
        rotation.nodes.retain(|node| !without.contains(node));
        Ok(rotation)
    }

    /// Seals the new secret to every node, and says that it is under way: in one write, so that no secret is left
    /// over of a rotation of which nobody knows. It goes by itself when nobody could use it any more.
    fn lay_out(
        &self,
        guard: &Guard<'_>,
        rotation: &mut Rotation,
        start: &Start<'_>,
        lease: LeaseId,
    ) -> Result<(), FleetError> {
        rotation.count += 1;
        let text = signed::sign(self.identity, self.roster.fleet(), rotation);
        let handover = Handover {
            credential: &rotation.credential,
            deployment: start.deployment,
            secret: start.secret,
            created: self.now,
            expires: self.now.saturating_add(LONGEST_VALID.as_secs()),
        };
        let mut parts = rotation.nodes.chunks(Transaction::MOST - 1).peekable();
        while let Some(part) = parts.next() {
            let mut transaction = Transaction::default();
            if parts.peek().is_none() {
                let key = self.space.rotation(&rotation.credential);
                transaction = transaction.put(key, text.as_slice());
            }
            for node in part {
                let recipient =
                    self.roster.recipient(node).ok_or_else(|| RotationFault::Missing {
                        nodes: vec![node.clone()],
                        why: "the manifest here has no `recipient` of it".to_owned(),
                    })?;
                let sealed = seal(self.identity, &recipient, &handover)?;
                let key = self.space.sealed(node, &format!("{SEALED}{}", rotation.id));
                transaction = transaction.put_under(key, sealed, Some(lease));
            }
            self.write(guard, transaction)?;
        }
        Ok(())
    }

    fn go_on(&self, guard: &Guard<'_>, mut rotation: Rotation) -> Result<Rotation, FleetError> {
        // A node that failed is asked again.
        loop {
            (self.tell)(Told::Begins(&rotation));
            let node_by_node = rotation.stage == Stage::Use;
            let at_once = if node_by_node { self.at_once.max(1) } else { usize::MAX };
            let order: Vec<String> = match rotation.direction {
                Direction::Forward => rotation.nodes.clone(),
                Direction::Back => rotation.nodes.iter().rev().cloned().collect(),
            };
            let done = self.done(&rotation)?;
            let open: Vec<String> =
                order.into_iter().filter(|node| !done.contains(node.as_str())).collect();
            for part in open.chunks(at_once.min(open.len().max(1))) {
                rotation.turn = part.to_vec();
                self.say(guard, &mut rotation)?;
                if let Err(why) = self.wait(guard, &rotation, part)? {
                    let stage = rotation.stage;
                    rotation.stopped = Some(why.clone());
                    rotation.turn = Vec::new();
                    self.say(guard, &mut rotation)?;
                    return Err(RotationFault::Stopped { stage, why }.into());
                }
            }
            rotation.turn = Vec::new();
            rotation.stage = match (rotation.direction, rotation.stage) {
                (Direction::Forward, Stage::Accept) => Stage::Use,
                (Direction::Forward, Stage::Use) => Stage::Retire,
                (Direction::Back, Stage::Use) => Stage::Accept,
                _ => Stage::Over,
            };
            if rotation.is_over() {
                self.clear(guard, &mut rotation)?;
                (self.tell)(Told::Begins(&rotation));
                return Ok(rotation);
            }
        }
    }

    /// Nobody needs what is left of it any more.
    fn clear(&self, guard: &Guard<'_>, rotation: &mut Rotation) -> Result<(), FleetError> {
        self.say(guard, rotation)?;
        let sealed = format!("{SEALED}{}", rotation.id);
        for part in rotation.nodes.chunks(Transaction::MOST / 2) {
            let mut transaction = Transaction::default();
            for node in part {
                transaction = transaction
                    .remove(self.space.sealed(node, &sealed))
                    .remove(self.space.progress(node, &rotation.credential));
            }
            self.write(guard, transaction)?;
        }
        Ok(())
    }

    /// The nodes that are done with a step already.
    fn done(&self, rotation: &Rotation) -> Result<BTreeSet<String>, FleetError> {
        let said = self.said(rotation)?;
        let done = said.into_values().filter(|progress| progress.is_done(rotation));
        Ok(done.map(|progress| progress.node).collect())
    }

    fn said(&self, rotation: &Rotation) -> Result<BTreeMap<String, Progress>, FleetError> {
        let entries = self.store.list(&self.space.all_progress())?.entries;
        let said = entries.iter().filter_map(|entry| {
            let progress: Progress = signed::read(self.roster, &entry.value).ok()?;
            let is_its = entry.key == self.space.progress(&progress.node, &rotation.credential)
                && progress.id == rotation.id;
            is_its.then(|| (progress.node.clone(), progress))
        });
        Ok(said.collect())
    }

    /// Waits until the nodes are done; says which is not, and why.
    fn wait(
        &self,
        guard: &Guard<'_>,
        rotation: &Rotation,
        nodes: &[String],
    ) -> Result<Result<(), String>, FleetError> {
        let begun = Instant::now();
        let mut told = BTreeSet::new();
        loop {
            let said = self.said(rotation)?;
            let answers = nodes.iter().filter_map(|node| said.get(node));
            let answers = answers.filter(|said| said.count == rotation.count);
            let mut done = 0;
            for said in answers {
                if let Some(why) = &said.failed {
                    return Ok(Err(format!("{}: {why}", said.node)));
                }
                done += 1;
                if told.insert(said.node.clone()) {
                    (self.tell)(Told::Done(&said.node));
                }
            }
            if done == nodes.len() {
                return Ok(Ok(()));
            }
            if begun.elapsed() >= self.patience {
                let silent = nodes.iter().filter(|node| !told.contains(*node));
                let silent: Vec<&str> = silent.map(String::as_str).collect();
                let seconds = self.patience.as_secs();
                return Ok(Err(format!("{} said nothing within {seconds} s", silent.join(", "))));
            }
            thread::sleep(PAUSE);
            guard.keep()?;
        }
    }

    fn say(&self, guard: &Guard<'_>, rotation: &mut Rotation) -> Result<(), FleetError> {
        rotation.count += 1;
        let text = signed::sign(self.identity, self.roster.fleet(), rotation);
        let key = self.space.rotation(&rotation.credential);
        self.write(guard, Transaction::default().put(key, text))
    }

    fn write(&self, guard: &Guard<'_>, transaction: Transaction) -> Result<(), FleetError> {
        match self.store.commit(transaction.when(guard.condition()))? {
            Committed::Done(_) => Ok(()),
            Committed::Moved => Err(FleetError::Guarded {
                node: "another node".to_owned(),
                since: "just now".to_owned(),
            }),
        }
    }
}

/// How a rotation stands, in words.
fn at(rotation: &Rotation) -> String {
    let way = match rotation.direction {
        Direction::Forward => "",
        Direction::Back => "back at ",
    };
    match &rotation.stopped {
        Some(why) => format!("{way}`{}`, stopped: {why}", rotation.stage),
        None => format!("{way}`{}`", rotation.stage),
    }
}
