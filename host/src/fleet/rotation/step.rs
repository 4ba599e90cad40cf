//! What each node does of a rotation when it is its turn.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Direction, Progress, Rotation, SEALED, Stage};
use crate::{
    Error, Installation, Proposal, Ruling,
    apply::{Run, RunId, RunState, Runs, Status},
    check::check,
    config::FleetSpec,
    fleet::{FleetError, FleetFolder, signed, space::part, store::Transaction, transfer::End},
    handover::{LONGEST_VALID, Receiver},
    model::{Action, Decision, Deed, Location, LocationId, Phase, Presence, Snapshot},
    observe::{Command, Observed},
    plan::plan,
    record::StateFolder,
    secret::{Fingerprint, unhex},
};

/// The variables that a program gets: to be found, and to find its own files.
const USUAL: [&str; 7] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// What a node keeps of a rotation that it takes part in: what it wrote, to take it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    id: String,
    /// What of its driver was answered last.
    count: u64,
    accepted: Step,
    used: Step,
    /// Whether something was written that the gateway has not read yet.
    #[serde(default)]
    unread: bool,
}

/// A step of this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    /// Not yet, or undone.
    #[default]
    Open,
    /// Done, and nothing was to be written.
    Nothing,
    /// Done by this run.
    Run(RunId),
    /// Done by a run of which nothing is kept.
    Unkept,
}

/// A node of a rotation.
pub(in crate::fleet) struct Stepper<'s> {
    pub(in crate::fleet) end: End<'s>,
    pub(in crate::fleet) spec: &'s FleetSpec,
    pub(in crate::fleet) folder: &'s FleetFolder,
    pub(in crate::fleet) state: &'s StateFolder,
}

/// Why a step failed here, in words for who rotates.
type Failed = String;

impl Stepper<'_> {
    /// The rotations that are under way, as far as they are believed.
    pub(in crate::fleet) fn rotations(&self) -> Result<Vec<Rotation>, FleetError> {
        let End { store, space, roster, .. } = &self.end;
        let entries = store.list(&space.rotation(""))?.entries;
        let rotations = entries.iter().filter_map(|entry| Rotation::read(roster, space, entry));
        let rotations = rotations.filter(|rotation| !rotation.is_over());
        Ok(rotations.collect())
    }

    /// Does what is this node's turn, and says what came of it; none where there was nothing to do.
    pub(in crate::fleet) fn step(
        &self,
        rotation: &Rotation,
    ) -> Result<Option<Result<(), Failed>>, FleetError> {
        let End { store, space, roster, .. } = &self.end;
        let me = roster.me();
        if !rotation.turn.iter().any(|node| node == me) {
            return Ok(None);
        }
        let name = format!("rotation-{}", part(&rotation.credential));
        let kept: Option<Taken> = self.folder.kept(&name)?;
        let begins = rotation.stage == Stage::Accept && rotation.direction == Direction::Forward;
        let mut taken = match kept {
            Some(taken) if taken.id == rotation.id => taken,
            // Where it did not come to this node's turn, there is nothing to take back.
            _ if rotation.direction == Direction::Back => {
                return self.say(rotation, None).map(|()| None);
            }
            // Another one has been begun since.
            _ if self.is_over(rotation)? => {
                let failed = "it was begun here before, and is over".to_owned();
                return self.say(rotation, Some(failed)).map(|()| None);
            }
            // What was not begun here is not gone on with: it may be long over, and brought back.
            _ if !begins => {
                let failed = "this node took no part in its beginning".to_owned();
                return self.say(rotation, Some(failed)).map(|()| None);
            }
            _ => Taken {
                id: rotation.id.clone(),
                count: 0,
                accepted: Step::Open,
                used: Step::Open,
                unread: false,
            },
        };
        if rotation.count <= taken.count {
            return Ok(None);
        }
        self.folder.keep(&name, &taken)?;
        self.begin(rotation)?;
        let failed = self.carry_out(rotation, &mut taken).err();
        self.folder.keep(&name, &taken)?;
        if failed.is_none()
            && rotation.stage == Stage::Use
            && rotation.direction == Direction::Forward
        {
            // Nobody needs it any more.
            let sealed = space.sealed(me, &format!("{SEALED}{}", rotation.id));
            store.commit(Transaction::default().remove(sealed))?;
        }
        self.say(rotation, failed.clone())?;
        // Only now: what could not be said is said the next time.
        taken.count = rotation.count;
        self.folder.keep(&name, &taken)?;
        Ok(Some(failed.map_or(Ok(()), Err)))
    }

    /// Whether a rotation was begun here: whoever can write to the store may bring it back.
    fn is_over(&self, rotation: &Rotation) -> Result<bool, FleetError> {
        let Some(id) = nonce(rotation) else { return Ok(true) };
        Ok(self.state.used_nonces().holds(&id, ends(rotation))?)
    }

    /// Remembers that it is begun here, for as long as what is sealed for it could be used.
    fn begin(&self, rotation: &Rotation) -> Result<(), FleetError> {
        let now = self.end.host.installation().now();
        if let Some(id) = nonce(rotation) {
            self.state.used_nonces().take(&id, ends(rotation), now)?;
        }
        Ok(())
    }

    /// What the runs of a step go by: so they are told from all others, also by who was killed in one.
    fn installation(&self, rotation: &Rotation) -> Installation {
        self.end.host.installation().for_runs_of(runs_of(rotation))
    }

    /// What a step came to in which this process was killed, if it came to something.
    fn of_before(&self, rotation: &Rotation) -> Result<Option<Step>, Failed> {
        // One that was killed is mended first: only then is it known whether it is done.
        let turn = self.end.host.installation().turn(Phase::Rotate);
        drop(turn.map_err(|error| error.in_one_line())?);
        let runs = Runs::list(self.state, &self.end.host.deployment().name);
        let name = runs_of(rotation);
        let is_its = |run: &Run| run.verb == name && run.of.is_none();
        let mut done = runs.iter().filter(|(run, state)| is_its(run) && *state == RunState::Done);
        Ok(done.next().map(|(run, _)| Step::Run(run.run)))
    }

    fn say(&self, rotation: &Rotation, failed: Option<Failed>) -> Result<(), FleetError> {
        let End { store, space, roster, identity, .. } = &self.end;
        let progress = Progress {
            node: roster.me().to_owned(),
            id: rotation.id.clone(),
            credential: rotation.credential.clone(),
            count: rotation.count,
            stage: rotation.stage,
            direction: rotation.direction,
            failed,
        };
        let text = signed::sign(identity, roster.fleet(), &progress);
        let key = space.progress(roster.me(), &rotation.credential);
        store.commit(Transaction::default().put(key, text))?;
        Ok(())
    }

    fn carry_out(&self, rotation: &Rotation, taken: &mut Taken) -> Result<(), Failed> {
        let wrote = match (rotation.direction, rotation.stage) {
            (Direction::Forward, Stage::Accept) if taken.accepted == Step::Open => {
                taken.accepted = match self.of_before(rotation)? {
                    Some(step) => step,
                    None => self.accept(rotation)?,
                };
                taken.accepted != Step::Nothing
            }
            (Direction::Forward, Stage::Use) if taken.used == Step::Open => {
                taken.used = match self.of_before(rotation)? {
                    Some(step) => step,
                    None => self.put_to_use(rotation)?,
                };
                taken.used != Step::Nothing
            }
            (Direction::Forward, Stage::Retire) => match self.of_before(rotation)? {
                Some(_) => true,
                None => self.retire(rotation)? != Step::Nothing,
            },
            (Direction::Back, Stage::Use) => self.undo(&mut taken.used)?,
            (Direction::Back, Stage::Accept) => self.undo(&mut taken.accepted)?,
            _ => false,
        };
        taken.unread |= wrote;
        if taken.unread {
            // Where it fails, it is run again when it is this node's turn again.
            self.after()?;
            taken.unread = false;
        }
        Ok(())
    }

    /// Has the servers of this node take the new secret beside their own.
    fn accept(&self, rotation: &Rotation) -> Result<Step, Failed> {
        let secret = self.secret(rotation)?;
        self.write(rotation, Some(secret), |snapshot, incoming| {
            let new = incoming.and_then(|id| snapshot.location(id)?.presence.fingerprint());
            let from = incoming?;
            let open = self.accepting(snapshot, rotation);
            let open = open.filter(|(_, location)| location.presence.fingerprint() != new);
            Some(open.map(|(to, _)| Deed::Write { from, to }).collect())
        })
    }

    /// Has the servers of this node forget the second secret that they take.
    fn retire(&self, rotation: &Rotation) -> Result<Step, Failed> {
        self.write(rotation, None, |snapshot, _| {
            let there = self.accepting(snapshot, rotation);
            let there = there.filter(|(_, location)| location.presence != Presence::Absent);
            Some(there.map(|(to, _)| Deed::Remove(to)).collect())
        })
    }

    fn accepting<'n>(
        &self,
        snapshot: &'n Snapshot,
        rotation: &Rotation,
    ) -> impl Iterator<Item = (LocationId, &'n Location)> {
        let spec = self.spec;
        let credential = snapshot.credentials.iter().position(|name| *name == rotation.credential);
        let all = snapshot.locations.iter().enumerate();
        let all = all.map(|(index, location)| (LocationId::from_index(index), location));
        all.filter(move |(_, location)| {
            spec.accepts.contains(&location.name) && Some(location.credential.index()) == credential
        })
    }

    /// Does deeds of the host's own, under the grants and rules that hold for a policy.
    fn write(
        &self,
        rotation: &Rotation,
        secret: Option<SecretString>,
        deeds: impl Fn(&Snapshot, Option<LocationId>) -> Option<Vec<Deed>>,
    ) -> Result<Step, Failed> {
        let host = self.end.host;
        let installation = self.installation(rotation);
        let turn = installation.turn(Phase::Rotate).map_err(|error| error.in_one_line())?;
        let mut observed = host.observe(Phase::Rotate);
        // What the policy says of the programs, before the new one is brought.
        let mut decision = self.decision(&observed)?;
        let incoming =
            secret.map(|secret| self.bring(&mut observed, rotation, secret)).transpose()?;
        let deeds = deeds(&observed.snapshot, incoming).unwrap_or_default();
        if deeds.is_empty() {
            return Ok(Step::Nothing);
        }
        let reason = format!("rotation of {}", rotation.credential);
        decision.actions =
            deeds.into_iter().map(|deed| Action { deed, reason: reason.clone() }).collect();
        self.apply(&turn, observed, decision)
    }

    /// Has the policy put the new secret in the place of the old; what a server takes beside becomes the old one,
    /// in the same write.
    fn put_to_use(&self, rotation: &Rotation) -> Result<Step, Failed> {
        let host = self.end.host;
        let secret = self.secret(rotation)?;
        let installation = self.installation(rotation);
        let turn = installation.turn(Phase::Rotate).map_err(|error| error.in_one_line())?;
        let mut observed = host.observe(Phase::Rotate);
        let new = self.bring(&mut observed, rotation, secret)?;
        let mut decision = self.decision(&observed)?;
        let snapshot = &observed.snapshot;
        if !decision.verdicts.iter().any(|verdict| verdict.wanted == Some(new)) {
            return Err(format!(
                "the policy {} says nowhere to put a new {}",
                host.policy().about().name,
                rotation.credential
            ));
        }
        let accepts: Vec<LocationId> =
            self.accepting(snapshot, rotation).map(|(id, _)| id).collect();
        let is_accepting = |action: &Action| match &action.deed {
            Deed::Write { to, .. } | Deed::Refer { to, .. } => accepts.contains(to),
            Deed::Remove(location) => accepts.contains(location),
            _ => false,
        };
        decision.actions.retain(|action| !is_accepting(action));
        let fingerprint = |id: LocationId| snapshot.location(id)?.presence.fingerprint();
        // What is written over here is what whoever calls this node's servers still has.
        let old = decision.actions.iter().find_map(|action| match action.deed {
            Deed::Write { from, to } if from == new => {
                let is_plain = matches!(snapshot.location(to)?.presence, Presence::Plain(_));
                (is_plain && fingerprint(to) != fingerprint(new)).then_some(to)
            }
            _ => None,
        });
        if let Some(from) = old {
            let reason =
                format!("accepted until nobody uses it: rotation of {}", rotation.credential);
            decision.actions.extend(
                accepts.iter().map(|to| Action {
                    deed: Deed::Write { from, to: *to },
                    reason: reason.clone(),
                }),
            );
        }
        self.apply(&turn, observed, decision)
    }

    fn decision(&self, observed: &Observed) -> Result<Decision, Failed> {
        let answer =
            self.end.host.decide(&observed.snapshot).map_err(|error| error.in_one_line())?;
        answer
            .map_err(|refusal| format!("the policy refuses: {}: {}", refusal.code, refusal.reason))
    }

    fn bring(
        &self,
        observed: &mut Observed,
        rotation: &Rotation,
        secret: SecretString,
    ) -> Result<LocationId, Failed> {
        let credential = &rotation.credential;
        let is_known = self.end.host.installation().bring(observed, credential, secret);
        let name = format!("incoming.{credential}");
        let found = observed.snapshot.location_named(&name).map(|(id, _)| id);
        found
            .filter(|_| is_known)
            .ok_or_else(|| format!("this node has no credential {credential}"))
    }

    fn apply(
        &self,
        turn: &crate::Turn<'_>,
        observed: Observed,
        decision: Decision,
    ) -> Result<Step, Failed> {
        let host = self.end.host;
        let Observed { snapshot, vault } = observed;
        let checked = check(&snapshot, decision, &host.deployment().grants);
        let checked = checked.map_err(|violations| violations.to_string())?;
        let planned = plan(&checked);
        let decision = checked.into_decision();
        let policy = host.policy().digest().to_owned();
        let ruling = Ruling::Decided(decision, planned);
        let proposal = Proposal { snapshot, ruling, policy, vault };
        if proposal.plan().is_none_or(|plan| plan.changes().is_empty()) {
            return Ok(Step::Nothing);
        }
        let applied = turn.apply(&proposal);
        host.record(&proposal, Some(&applied));
        let outcome = applied.map_err(|error| error.to_string())?;
        if outcome.changes.iter().any(|change| change.status != Status::Applied) {
            return Err("this deployment is audited, so nothing is written here".to_owned());
        }
        Ok(outcome.run.map_or(Step::Unkept, Step::Run))
    }

    /// Takes back what a step of this node wrote; whether it did.
    fn undo(&self, step: &mut Step) -> Result<bool, Failed> {
        if *step == Step::Unkept {
            return Err(
                "nothing was kept of the run that wrote it, so it cannot be taken back".to_owned()
            );
        }
        let Step::Run(id) = *step else {
            *step = Step::Open;
            return Ok(false);
        };
        let host = self.end.host;
        let told = |error: Error| error.in_one_line();
        let turn = host.installation().turn(Phase::Rotate).map_err(told)?;
        let runs = Runs::list(self.state, &host.deployment().name);
        let run = runs.into_iter().find(|(run, _)| run.run == id);
        let (run, state) = run.ok_or_else(|| format!("the run {id} is not kept any more"))?;
        // This process may have been killed after it.
        if state != RunState::RolledBack {
            turn.roll_back(&run).map_err(told)?;
        }
        *step = Step::Open;
        Ok(true)
    }

    /// The new secret, which lies sealed in the store until this node has put it to use. That it is used for one
    /// rotation, and once, is by the rotation's id and count.
    fn secret(&self, rotation: &Rotation) -> Result<SecretString, Failed> {
        let End { host, store, space, roster, identity, key } = self.end;
        let sealed = space.sealed(roster.me(), &format!("{SEALED}{}", rotation.id));
        let entry = store.get(&sealed).map_err(|error| error.to_string())?;
        let entry = entry.ok_or("the new secret does not lie in the store for this node")?;
        let now = host.installation().now();
        let receiver = Receiver { identity, deployment: host.deployment(), now };
        let accepted = receiver.accept_any(&entry.value).map_err(|error| error.to_string())?;
        let known: Fingerprint = key.fingerprint(accepted.secret.expose_secret());
        if accepted.peer != rotation.by
            || accepted.credential != rotation.credential
            || known != rotation.fingerprint
        {
            return Err("what lies in the store for this node is not the new secret".to_owned());
        }
        Ok(accepted.secret)
    }

    /// Has the gateway read its secrets anew.
    fn after(&self) -> Result<(), Failed> {
        let Some((program, arguments)) = self.spec.after.split_first() else { return Ok(()) };
        let host = self.end.host;
        let world = host.installation().world();
        let variables =
            USUAL.iter().filter_map(|name| Some(((*name).to_owned(), world.variable(name)?)));
        let variables: Vec<(String, String)> = variables.collect();
        let command = Command {
            program: Path::new(program),
            arguments,
            variables: &variables,
            input: &[],
            folder: &host.deployment().base,
            time: self.spec.after_time,
            absent: None,
            guarded: false,
        };
        let ran = world.run(&command).map(drop);
        ran.map_err(|error| {
            let why = error.in_words(&self.spec.after, self.spec.after_time);
            format!("what is to have the secret read anew failed: {why}")
        })
    }
}

/// The name of a step's runs.
fn runs_of(rotation: &Rotation) -> String {
    let way = match rotation.direction {
        Direction::Forward => "",
        Direction::Back => " back",
    };
    format!("rotation {} {}{way}", rotation.id, rotation.stage)
}

/// A rotation's id, as what is used once is known by.
fn nonce(rotation: &Rotation) -> Option<[u8; 16]> {
    unhex(&rotation.id)?.try_into().ok()
}

/// Until when what is sealed for it could be used.
fn ends(rotation: &Rotation) -> u64 {
    rotation.begun.saturating_add(LONGEST_VALID.as_secs())
}
