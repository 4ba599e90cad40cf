//! One node of a fleet, for as long as it runs: a beat after another.

use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    mem,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use super::{
    Accepted, Assignment, Board, Carried, FleetError, FleetFolder, Hand, Happening, Leader,
    NodeState, Report, Roster, Seen, Send, Session, Space, Standing, Store, StoreError,
    follow::{self, Follower},
    guard::keeping,
    kept::{fleet_key, told_by},
    lead::Ground,
    report::digest,
    rotation::Stepper,
    signed,
    store::{LeaseId, Revision},
    transfer::{End, SentAt, Went},
};
use crate::{
    Error, Host, config::FleetSpec, handover::NodeIdentity, model::Phase, record::StateFolder,
    secret::Key,
};

/// How long a node that waits for something of another looks away.
const SOON: Duration = Duration::from_millis(250);
/// How long a node waits for a secret of another before it decides without that one.
const PATIENCE: Duration = Duration::from_secs(30);
/// One node of a fleet.
pub struct Agent<'a> {
    host: Host,
    store: &'a dyn Store,
    tell: &'a dyn Fn(&Happening<'_>),
    spec: FleetSpec,
    space: Space,
    roster: Roster,
    identity: NodeIdentity,
    key: Key,
    phase: Phase,
    state: StateFolder,
    folder: FleetFolder,
    session: Session<'a>,
    /// The lease that it had when it last beat.
    lease: Option<LeaseId>,
    /// When it last looked for what nobody here asked for.
    cleaned: u64,
    /// One agent runs here.
    _lock: Option<File>,
    /// The number of what it followed last: nothing below is followed, also where that one is not any more.
    floor: u64,
    /// What it follows.
    follows: Option<Assignment>,
    /// The revision of what stood in the store for it when it last looked.
    looked_at: Revision,
    /// The moment at which it looked.
    position: Revision,
    stands: NodeState,
    /// What it saw last, what tells that from others, and when it looked.
    saw: Option<(Seen, String, u64)>,
    /// What tells what it published last from others, and when that was.
    published: Option<(String, u64)>,
    /// The number of that.
    count: Option<u64>,
    /// Digest of what it saw when it last carried out what it follows.
    carried: Option<String>,
    needs: Vec<(String, Send)>,
    /// Since when it waits for those.
    waits: Option<Instant>,
    hand: Hand,
    /// Nodes that did not send what they were asked for, until the next assignment.
    gone: BTreeSet<String>,
    sent: SentAt,
    /// The credentials that are being rotated, and whether one goes on.
    rotated: BTreeSet<String>,
    is_busy: bool,
    lead: Option<(Leader, Board)>,
    is_connected: bool,
    cut_off: Option<(Instant, u64, String)>,
    is_alone: bool,
    /// What failed last: told once.
    failure: Option<String>,
    kept: Option<String>,
}

impl fmt::Debug for Agent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("node", &self.roster.me()).finish_non_exhaustive()
    }
}

impl<'a> Agent<'a> {
    /// A node of the deployment's fleet. `phase` is for what the fleet decides.
    ///
    /// # Errors
    ///
    /// Where the deployment has no fleet, this node is none of it, has no identity or folder for its state, or
    /// what it keeps cannot be used.
    pub fn new(
        host: Host,
        store: &'a dyn Store,
        phase: Phase,
        tell: &'a dyn Fn(&Happening<'_>),
    ) -> Result<Self, FleetError> {
        let installation = host.installation();
        let spec = host.deployment().fleet.clone().ok_or(FleetError::NoFleet)?;
        let state = installation.state().cloned().ok_or(FleetError::NoState)?;
        let identity = state.identity()?.ok_or(FleetError::NoIdentity)?;
        let roster = Roster::of(host.deployment(), &identity)?;
        let key = fleet_key(host.deployment(), installation.world())?;
        let folder = FleetFolder::of(&state, &spec.name);
        let now = installation.now();
        let lock = folder.lock()?;
        let (floor, follows) = folder.followed(&roster)?;
        let space = Space::new(&spec.name);
        let session = Session::new(store, space.clone(), (roster.me(), roster.nodes().count()));
        Ok(Self {
            host,
            store,
            tell,
            spec,
            space,
            roster,
            identity,
            key,
            phase,
            state,
            folder,
            session,
            floor,
            follows,
            looked_at: 0,
            position: 0,
            stands: NodeState::Unassigned,
            saw: None,
            published: None,
            count: None,
            failure: None,
            rotated: BTreeSet::new(),
            is_busy: false,
            lease: None,
            cleaned: now,
            _lock: lock,
            carried: None,
            needs: Vec::new(),
            waits: None,
            hand: Hand::default(),
            gone: BTreeSet::new(),
            sent: SentAt::new(),
            lead: None,
            is_connected: false,
            cut_off: None,
            is_alone: false,
            kept: None,
        })
    }

    /// Who the nodes are.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The generation that this node follows; 0 for none.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.floor
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> &NodeState {
        &self.stands
    }

    /// Whether it is the elected one.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.lead.is_some()
    }

    /// Beats until it is told to stop, and then gives up its place, so that others need not wait for it.
    pub fn run(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.beat(self.session.beat());
        }
        self.session.close();
    }

    /// Does what there is to do, and then waits for news: for as long as `wait` at most.
    pub fn beat(&mut self, wait: Duration) {
        let begun = Instant::now();
        match self.round(wait) {
            Ok(()) => self.failure = None,
            // Whom it does not let in any more goes on alone too.
            Err(FleetError::Store(error)) => {
                self.without_store(&error);
                // A store that refuses at once is not asked all the time.
                std::thread::sleep(
                    wait.saturating_sub(begun.elapsed()).min(Duration::from_secs(1)),
                );
            }
            Err(error) => {
                let why = error.to_string();
                if self.failure.as_ref() != Some(&why) {
                    (self.tell)(&Happening::Failed(&error));
                    self.failure = Some(why);
                }
                std::thread::sleep(wait.min(Duration::from_secs(1)));
            }
        }
        self.keep_standing();
    }

    fn now(&self) -> u64 {
        self.host.installation().now()
    }

    fn round(&mut self, wait: Duration) -> Result<(), FleetError> {
        let lease = self.session.keep(self.now())?;
        if self.lease.replace(lease) != Some(lease) {
            // After a while without one: who decides is to know what this node follows by now.
            self.published = None;
        }
        self.publish()?;
        self.lead_or_not(lease)?;
        self.look()?;
        self.send(lease)?;
        let took = self.receive()?;
        if keeping(self.store, lease, || self.rotate())? {
            self.saw = None;
            self.publish()?;
        }
        // Only now: a store may let a node keep its lease, and refuse all the rest.
        self.is_reached();
        let is_new = self.saw.as_ref().map(|(_, digest, _)| digest) != self.carried.as_ref();
        if is_new || took || self.waited_long() {
            keeping(self.store, lease, || self.carry_out())?;
            // What others should know is published at once.
            self.publish()?;
        }
        self.wait(wait)
    }

    fn is_reached(&mut self) {
        if !mem::replace(&mut self.is_connected, true) {
            (self.tell)(&Happening::Connected);
        }
        self.cut_off = None;
        if mem::take(&mut self.is_alone) {
            // What others have can come again.
            self.gone.clear();
            self.carried = None;
        }
    }

    /// Whether something is long enough ago; a clock that was set back counts as long ago.
    fn is_old(&self, at: u64, now: u64) -> bool {
        now >= at.saturating_add(self.spec.interval.as_secs()) || now < at
    }

    /// Looks, unless it did just now.
    fn see(&mut self) -> (Seen, String) {
        let now = self.now();
        if let Some((seen, digest, at)) = &self.saw
            && !self.is_old(*at, now)
        {
            return (seen.clone(), digest.clone());
        }
        let observed = self.host.observe(self.phase);
        let seen = Seen::of(&observed, &self.key);
        drop(observed);
        let digest = seen.digest();
        self.saw = Some((seen.clone(), digest.clone(), now));
        // Time alone may change what the policy says.
        self.carried = None;
        (seen, digest)
    }

    /// Publishes what it sees, where that changed, or was published long ago.
    fn publish(&mut self) -> Result<(), FleetError> {
        let (seen, saw) = self.see();
        let now = self.now();
        let tells = digest(&(&saw, self.generation(), &self.stands, &self.needs));
        let is_old = self.published.as_ref().is_none_or(|(_, at)| self.is_old(*at, now));
        if !is_old && self.published.as_ref().is_some_and(|(known, _)| *known == tells) {
            return Ok(());
        }
        let report = Report {
            count: self.next_count(now)?,
            generation: self.generation(),
            state: self.stands.clone(),
            wants: self.needs.clone(),
            ..Report::new(self.roster.me(), seen, &self.key, self.host.policy().digest(), now)
        };
        let whose = (self.roster.fleet(), &self.identity);
        report.publish(self.store, &self.space, whose)?;
        self.published = Some((tells, now));
        Ok(())
    }

    /// The number of the next report. Who starts goes on after what it published before, also where its clock was
    /// ahead then.
    fn next_count(&mut self, now: u64) -> Result<u64, FleetError> {
        let last = match self.count {
            Some(last) => last,
            None => {
                let entry = self.store.get(&self.space.report(self.roster.me()))?;
                let own = entry.and_then(|entry| signed::read(&self.roster, &entry.value).ok());
                own.map_or(0, |report: Report| report.count)
            }
        };
        let next = now.max(last.saturating_add(1));
        self.count = Some(next);
        Ok(next)
    }

    fn lead_or_not(&mut self, lease: LeaseId) -> Result<(), FleetError> {
        if !self.roster.may_lead(self.roster.me()) {
            return Ok(());
        }
        // Also where it is elected again: another one may have decided in between.
        if self.session.leading().is_none() && self.lead.take().is_some() {
            (self.tell)(&Happening::LeadsNoMore);
        }
        if !self.session.campaign(lease)? {
            return Ok(());
        }
        if self.lead.is_none() {
            let mut board = Board::read(self.store, &self.space, &self.roster)?;
            // Who starts with all the others decides when they are there.
            board.settle(self.store, &self.space, &self.roster)?;
            self.lead = Some((Leader::default(), board));
            (self.tell)(&Happening::Leads);
        }
        let now = self.now();
        let key = told_by(&self.key);
        let Some((leader, board)) = &mut self.lead else { return Ok(()) };
        board.see_who_is_there(self.store, &self.space)?;
        if leader.is_to_read(now, self.spec.interval) {
            leader.read(self.store, &self.space, &self.roster, (board, now, self.spec.interval))?;
        }
        let ground = Ground {
            policy: self.host.policy(),
            settings: &self.spec.settings,
            key: &key,
            phase: None,
        };
        let decided = leader.decide(board, ground, (now, self.spec.interval));
        if decided.is_empty() {
            return Ok(());
        }
        let whose = (&self.space, &self.identity, &self.roster);
        let handed = leader.hand_out(self.store, &mut self.session, whose, (board, now), decided);
        match handed {
            Ok(count) => (self.tell)(&Happening::HandedOut(count)),
            // The next beat stands for election anew, and reads what the other one decided.
            Err(FleetError::NotLeading) => {
                self.lead = None;
                (self.tell)(&Happening::LeadsNoMore);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Looks at what stands in the store for this node.
    fn look(&mut self) -> Result<(), FleetError> {
        // A listing for its moment: to wait after it, also where nothing has happened for so long that the moment of
        // what stands there is not kept any more.
        let listing = self.store.list(&self.space.assignment(self.roster.me()))?;
        self.position = listing.revision;
        let entry = listing.entries.into_iter().next();
        let Some(entry) = entry.filter(|entry| entry.changed != self.looked_at) else {
            return Ok(());
        };
        let known = (self.floor, self.follows.as_ref());
        match follow::accept(&self.roster, &self.folder, known, &entry.value)? {
            Accepted::New(assignment) => {
                let Assignment { generation, leader, .. } = &*assignment;
                (self.tell)(&Happening::Follows { generation: *generation, leader });
                self.floor = *generation;
                self.follows = Some(*assignment);
                self.carried = None;
                self.gone.clear();
            }
            Accepted::Known => {}
            Accepted::Not(why) => (self.tell)(&Happening::NotFollowed(&why)),
        }
        self.looked_at = entry.changed;
        Ok(())
    }

    fn end(&self) -> End<'_> {
        End {
            host: &self.host,
            store: self.store,
            space: &self.space,
            roster: &self.roster,
            identity: &self.identity,
            key: &self.key,
        }
    }

    fn send(&mut self, lease: LeaseId) -> Result<(), FleetError> {
        let Some(assignment) = &self.follows else { return Ok(()) };
        if assignment.terms.sends.is_empty() && self.sent.is_empty() {
            return Ok(());
        }
        let mut sent = mem::take(&mut self.sent);
        let went = self.end().send(&self.spec, &assignment.terms.sends, &mut sent, lease);
        let went = went.map(|all| {
            for (send, went) in all {
                let Send { to, credential, .. } = send;
                match &went {
                    Went::Done => (self.tell)(&Happening::Sent { to, credential }),
                    Went::Not(why) => {
                        let what = format!("{credential} is not sent to {to}");
                        (self.tell)(&Happening::NotSent { what: &what, why });
                    }
                }
            }
        });
        self.sent = sent;
        went
    }

    /// Takes what came for this node; whether something did that it waits for.
    fn receive(&mut self) -> Result<bool, FleetError> {
        if self.needs.is_empty() {
            if !self.gone.is_empty() && self.end().has_come()? {
                // Whom this node waited for in vain is there after all.
                self.gone.clear();
                self.carried = None;
                return Ok(false);
            }
            if !self.is_old(self.cleaned, self.now()) {
                return Ok(false);
            }
        }
        self.cleaned = self.now();
        let mut hand = mem::take(&mut self.hand);
        let came = self.end().receive(&self.state, &self.needs, &mut hand);
        self.hand = hand;
        let mut took = false;
        for (id, went) in came? {
            match went {
                Went::Done => took = true,
                Went::Not(why) => {
                    let what = format!("what lay in the store for this node ({id}) is not taken");
                    (self.tell)(&Happening::NotSent { what: &what, why: &why });
                }
            }
        }
        Ok(took)
    }

    /// Does what is this node's turn in rotations; whether there was something to do.
    fn rotate(&mut self) -> Result<bool, FleetError> {
        let stepper =
            Stepper { end: self.end(), spec: &self.spec, folder: &self.folder, state: &self.state };
        let rotations = stepper.rotations()?;
        let mut stepped = false;
        for rotation in &rotations {
            if let Some(came) = stepper.step(rotation)? {
                stepped = true;
                let (credential, stage) =
                    (rotation.credential.as_str(), rotation.stage.to_string());
                let failed = came.err();
                (self.tell)(&Happening::Stepped { credential, stage, failed });
            }
        }
        // One that stopped waits for a person.
        let is_busy = rotations.iter().any(|rotation| rotation.stopped.is_none());
        let rotated: BTreeSet<String> =
            rotations.into_iter().map(|rotation| rotation.credential).collect();
        if !self.rotated.is_subset(&rotated) {
            // What waited for the end of one goes on.
            self.carried = None;
        }
        self.rotated = rotated;
        self.is_busy = is_busy;
        Ok(stepped)
    }

    fn waited_long(&mut self) -> bool {
        let is_long = self.waits.is_some_and(|since| since.elapsed() >= PATIENCE);
        if is_long {
            // The rest goes on without them.
            self.gone.extend(self.needs.iter().map(|(node, _)| node.clone()));
        }
        is_long
    }

    fn carry_out(&mut self) -> Result<(), FleetError> {
        let Some(assignment) = &self.follows else { return Ok(()) };
        let follower = Follower {
            host: &self.host,
            roster: &self.roster,
            key: &self.key,
            rotated: &self.rotated,
        };
        let carried = follower.carry_out(assignment, &self.hand, &self.gone);
        let Carried { state, needs, changed, steps } = match carried {
            Ok(carried) => carried,
            Err(FleetError::Host(error)) => Carried::failed(error.in_one_line()),
            Err(error) => return Err(error),
        };
        if needs.is_empty() {
            self.hand.drop_all();
            self.waits = None;
        } else if self.needs != needs {
            self.waits = Some(Instant::now());
        }
        self.needs = needs;
        if !changed.is_empty() {
            (self.tell)(&Happening::Changed(&changed));
        }
        for step in &steps {
            (self.tell)(&Happening::LeftToYou(step));
        }
        if self.stands != state {
            (self.tell)(&Happening::State(&state));
            self.stands = state;
        }
        if !changed.is_empty() {
            self.saw = None;
        }
        let (_, saw) = self.see();
        self.carried = Some(saw);
        Ok(())
    }

    /// Waits for news: who leads for reports, the others for what is assigned to them.
    fn wait(&mut self, wait: Duration) -> Result<(), FleetError> {
        let is_busy = !self.needs.is_empty() || self.is_busy;
        let wait = if is_busy { wait.min(SOON) } else { wait };
        if let Some((_, board)) = &mut self.lead {
            let (store, space, roster) = (self.store, &self.space, &self.roster);
            let waited = board.wait(store, space, roster, wait);
            // What comes together is decided on together.
            let settled = waited.and_then(|is_news| match is_news {
                true => board.settle(store, space, roster),
                false => Ok(()),
            });
            match settled {
                Err(StoreError::Forgotten) => *board = Board::read(store, space, roster)?,
                settled => settled?,
            }
            return Ok(());
        }
        let key = self.space.assignment(self.roster.me());
        match self.store.wait(&key, self.position, wait) {
            Ok(_) | Err(StoreError::Forgotten) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on without the store: for a while as it is, then by what it follows alone.
    fn without_store(&mut self, error: &StoreError) {
        if mem::take(&mut self.is_connected) || self.cut_off.is_none() {
            (self.tell)(&Happening::CutOff(error));
        }
        let now = self.now();
        let (since, ..) =
            self.cut_off.get_or_insert_with(|| (Instant::now(), now, error.to_string()));
        if since.elapsed() < self.spec.cut_off {
            return;
        }
        if !mem::replace(&mut self.is_alone, true) {
            (self.tell)(&Happening::Alone { generation: self.generation() });
            // What others had may not be so any more, and what they have cannot come.
            let view = self.follows.iter().flat_map(|assignment| &assignment.terms.view);
            self.gone.extend(view.map(|one| one.node.clone()));
            self.carried = None;
        }
        let (_, saw) = self.see();
        if self.carried.as_ref() != Some(&saw)
            && let Err(error) = self.carry_out()
        {
            (self.tell)(&Happening::Failed(&error));
        }
    }

    /// Keeps how it stands where it can be told without the store.
    fn keep_standing(&mut self) {
        let standing = Standing {
            node: self.roster.me().to_owned(),
            at: 0,
            cut_off: self.cut_off.as_ref().map(|(_, since, why)| (*since, why.clone())),
            generation: self.generation(),
            leader: self.follows.as_ref().map(|assignment| assignment.leader.clone()),
            state: self.stands.clone(),
        };
        let tells = digest(&standing);
        if self.kept.as_ref() == Some(&tells) {
            return;
        }
        let standing = Standing { at: self.now(), ..standing };
        match self.folder.keep_standing(&standing) {
            Ok(()) => self.kept = Some(tells),
            Err(error) => {
                let why = error.to_string();
                if self.failure.as_ref() != Some(&why) {
                    (self.tell)(&Happening::Failed(&Error::from(error).into()));
                    self.failure = Some(why);
                }
            }
        }
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        self.session.close();
    }
}
