//! Runs the stages: what an embedding program holds.
//!
//! | module | what |
//! |---|---|
//! | `builder` | from a manifest and a policy to a [`Host`] |
//! | `installation` | a deployment on this machine, with what is kept of its runs |
//! | `turn` | the right to write |
//! | `ruling` | what the policy and the host's rules make of what was seen |
//! | `reconcile` | everything in one call |
//! | `event` | what happens in a run, for whoever wants to be told |
//! | `reloading` | a policy file that may change while the program runs |
//! | `asynchronous` | the same from tokio |

#[cfg(feature = "tokio")]
mod asynchronous;
mod builder;
mod event;
mod installation;
mod reconcile;
mod reloading;
mod ruling;
mod turn;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use secrecy::SecretString;

use crate::{
    Error, Impact,
    apply::{ApplyError, Outcome},
    config::Deployment,
    decide::{Answer, Policy},
    impact::impact,
    model::{ConsumerId, Decision, LocationId, Phase, Presence, Snapshot, Standing, Verdict},
    observe::Observed,
    record::{Digests, Record},
};

#[cfg(feature = "tokio")]
pub use asynchronous::AsyncHost;
pub use builder::Builder;
pub use event::Event;
pub use installation::Installation;
pub use reconcile::Reconciled;
pub use reloading::{Active, Rejected, ReloadStatus, Reloaded, Reloading};
pub use ruling::{Proposal, Ruling, rule};
pub use turn::Turn;

/// A policy and a deployment on this machine: all that a run needs. Made by [`Host::builder`]. A clone
/// costs two counters and shares everything, and any number of threads may use it at once.
///
/// ```
/// use precedent::{Host, model::Phase, observe::Memory};
/// use secrecy::ExposeSecret;
///
/// // A real program leaves the world out: then it is this machine.
/// let mut world = Memory::default();
/// world.variables.insert("OPENCLAW_GATEWAY_TOKEN".into(), "of-this-week".into());
/// let remote = r#"{"gateway": {"remote": {"token": "of-last-week"}}}"#;
/// world.files.insert("/home/node/.openclaw/openclaw.json".into(), remote.into());
///
/// let host = Host::builder().policy("helm").world(world).build()?;
/// let proposal = host.propose(Phase::Start)?;
/// let token = proposal.resolve("gateway", "gateway-token")?;
/// assert_eq!(token.secret.expose_secret(), "of-this-week");
/// assert_eq!(proposal.plan().map(|plan| plan.changes().len()), Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Host {
    installation: Arc<Installation>,
    policy: Arc<Policy>,
}

impl Host {
    /// Begins a host.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Loads the policy of an installation's deployment, and has it check its settings.
    ///
    /// # Errors
    ///
    /// Where the policy cannot be loaded, and where it refuses the settings.
    pub fn open(installation: Arc<Installation>) -> Result<Self, Error> {
        let policy = installation.load()?;
        Self::with_policy(installation, policy)
    }

    /// Takes a policy that is loaded already, and has it check the deployment's settings.
    ///
    /// # Errors
    ///
    /// Where the policy refuses the settings.
    pub fn with_policy(installation: Arc<Installation>, policy: Policy) -> Result<Self, Error> {
        policy.validate_settings(&installation.deployment.settings)?;
        Ok(Self { installation, policy: Arc::new(policy) })
    }

    /// The deployment on this machine.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The deployment.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.installation.deployment
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Observes. What cannot be read is a finding, and the rest goes on.
    #[must_use]
    pub fn observe(&self, phase: Phase) -> Observed {
        self.installation.observe(phase)
    }

    /// Asks the policy, and nobody else: what it answers is neither checked nor planned.
    ///
    /// # Errors
    ///
    /// Where the policy cannot answer. Its no is an [`Answer`].
    pub fn decide(&self, snapshot: &Snapshot) -> Result<Answer, Error> {
        Ok(self.policy.decide(snapshot)?)
    }

    /// Decides, checks and plans on what was seen. Writes nothing.
    ///
    /// # Errors
    ///
    /// Where the policy cannot answer; that is recorded. Its no, and a decision that breaks the rules, are
    /// a [`Ruling`].
    pub fn plan(&self, observed: Observed) -> Result<Proposal, Error> {
        let Observed { snapshot, vault } = observed;
        match rule(&self.policy, &self.deployment().grants, &snapshot) {
            Ok(ruling) => {
                let policy = self.policy.digest().to_owned();
                let proposal = Proposal { snapshot, ruling, policy, vault };
                self.installation.observer.tell(Event::Proposed(&proposal));
                Ok(proposal)
            }
            Err(error) => {
                let mut record = self.begun(&snapshot);
                record.error = Some(error.in_one_line());
                self.installation.record(&record);
                Err(error)
            }
        }
    }

    /// Which calls fail of what was seen, and which go on; none where the deployment declares no calls, and
    /// where nothing was decided.
    #[must_use]
    pub fn impact(&self, proposal: &Proposal) -> Option<Impact> {
        let decision = proposal.decision().filter(|_| cfg!(feature = "platforms"))?;
        impact(self.deployment(), &proposal.snapshot, decision)
    }

    /// Observes, decides, checks and plans. Writes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Host::plan`].
    pub fn propose(&self, phase: Phase) -> Result<Proposal, Error> {
        self.plan(self.observe(phase))
    }

    /// The same with a new secret for a credential, which the policy may say where to put; none where the
    /// deployment has no such credential.
    ///
    /// # Errors
    ///
    /// Those of [`Host::plan`].
    pub fn propose_with(
        &self,
        phase: Phase,
        credential: &str,
        secret: SecretString,
    ) -> Result<Option<Proposal>, Error> {
        let mut observed = self.observe(phase);
        let is_known = self.installation.bring(&mut observed, credential, secret);
        is_known.then(|| self.plan(observed)).transpose()
    }

    /// Applies what was proposed, in a turn of its own, and records it: see [`Turn::apply`]. Whoever looks
    /// and writes wants [`Host::reconcile`], which keeps others out from before the look.
    ///
    /// # Errors
    ///
    /// Where another run has the deployment, a run that was killed cannot be mended, or a file moved or
    /// could not be written; each is then as it was.
    pub fn apply(&self, proposal: &Proposal) -> Result<Outcome, Error> {
        let applied = self.installation.turn(proposal.snapshot.phase)?.apply(proposal);
        self.record(proposal, Some(&applied));
        Ok(applied?)
    }

    /// Adds a run to the journal; `applied` is none where nothing was to be written. What writes by
    /// itself, such as [`Host::reconcile`], has recorded it.
    pub fn record(&self, proposal: &Proposal, applied: Option<&Result<Outcome, ApplyError>>) {
        let mut record = self.begun(&proposal.snapshot);
        record.ruled(&proposal.ruling);
        if let Some(applied) = applied {
            record.applied(applied);
        }
        self.installation.record(&record);
    }

    fn begun<'r>(&'r self, snapshot: &'r Snapshot) -> Record<'r> {
        let mut record = self.installation.begun(snapshot.phase);
        record.at = snapshot.now;
        record.policy = Some(self.policy.about().into());
        record.digests = Some(Digests::of(snapshot, self.policy.digest()));
        record.snapshot = Some(snapshot);
        record
    }

    /// For each consumer, the copies that it would use in turn if each before it vanished; today's is
    /// the first. The policy is asked anew for each, so this is what it knows, not what we guess.
    ///
    /// # Errors
    ///
    /// Where the policy cannot answer.
    pub fn shadows(
        &self,
        snapshot: &Snapshot,
        decision: &Decision,
    ) -> Result<Vec<(ConsumerId, Vec<LocationId>)>, Error> {
        let mut asked: HashMap<BTreeSet<LocationId>, Vec<Verdict>> = HashMap::new();
        let mut shadows = Vec::new();
        for verdict in &decision.verdicts {
            let mut copies = Vec::new();
            let mut standing = verdict.today;
            while let Standing::Copy(id) = standing
                && !copies.contains(&id)
            {
                copies.push(id);
                let gone: BTreeSet<LocationId> = copies.iter().copied().collect();
                if !asked.contains_key(&gone) {
                    let verdicts = self.without(snapshot, &gone)?;
                    asked.insert(gone.clone(), verdicts);
                }
                let then = asked.get(&gone).into_iter().flatten();
                let then = then.into_iter().find(|then| then.consumer == verdict.consumer);
                standing = then.map_or(Standing::Nothing, |then| then.today);
            }
            shadows.push((verdict.consumer, copies));
        }
        Ok(shadows)
    }

    fn without(
        &self,
        snapshot: &Snapshot,
        gone: &BTreeSet<LocationId>,
    ) -> Result<Vec<Verdict>, Error> {
        let mut then = snapshot.clone();
        for id in gone {
            if let Some(location) = then.locations.get_mut(id.index()) {
                location.presence = Presence::Absent;
            }
        }
        Ok(self.policy.decide(&then)?.map_or_else(|_| Vec::new(), |decision| decision.verdicts))
    }
}
