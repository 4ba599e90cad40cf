//! A program that looks: what stands at a place for it, and what comes first.

use precedent_guest::{
    Consumer, Location, Presence, ReferenceKind, Standing,
    precedence::{Ranked, Winner},
};

use crate::{
    Credential, Installation, Mode, Place, Program,
    call::Call,
    era::{self, order},
    installation::is_set,
};

/// A consumer that is a program of OpenClaw's.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'i, 's> {
    pub(crate) installation: &'i Installation<'s>,
    pub(crate) program: Program,
    pub(crate) call: Call<'s>,
    has_environment: bool,
    /// Whether a service starts it, with variables of its own.
    is_service: bool,
    token: Vec<Location<'s>>,
    password: Vec<Location<'s>>,
}

/// What a program gets.
#[derive(Debug, Clone)]
pub(crate) struct Answer<'s> {
    pub(crate) standing: Standing,
    /// What it would get if that copy vanished.
    pub(crate) next: Option<Location<'s>>,
    /// Where it looked, in its order.
    pub(crate) places: Vec<Place>,
}

impl<'i, 's> Reader<'i, 's> {
    /// A program may run without the environment that was observed, such as a hook that is started
    /// without it; its consumer then has the attribute `environment = "none"`.
    pub(crate) fn new(
        installation: &'i Installation<'s>,
        consumer: Consumer<'_>,
        program: Program,
    ) -> Self {
        let environment = installation.snapshot.consumer_attribute(consumer, "environment");
        Self {
            installation,
            program,
            call: Call::new(installation.snapshot),
            has_environment: environment != Some("none"),
            is_service: environment.is_none() && installation.starter(program).is_some(),
            token: installation.environment(consumer, program, Credential::Token),
            password: installation.environment(consumer, program, Credential::Password),
        }
    }

    /// Where it finds the credential's variable, in order.
    fn environment(&self, credential: Credential) -> &[Location<'s>] {
        match credential {
            Credential::Token => &self.token,
            Credential::Password => &self.password,
        }
    }

    /// What stands at a place for this program: of several files that could set a variable, the one
    /// that does.
    pub(crate) fn at(&self, credential: Credential, place: Place) -> Option<Location<'s>> {
        let mut all = self.all_at(credential, place);
        let first = all.next()?;
        let mut set = [first].into_iter().chain(all).filter(|location| !location.is_unset());
        Some(set.next().unwrap_or(first))
    }

    fn all_at(&self, credential: Credential, place: Place) -> impl Iterator<Item = Location<'s>> {
        let (variables, other): (&[Location<'s>], _) = match place {
            Place::Env => (self.environment(credential), None),
            // Nobody embeds the variables of the earlier name.
            Place::LegacyEnv if !self.has_environment || self.is_service => (&[], None),
            place => (&[], self.installation.at(credential, place)),
        };
        variables.iter().copied().chain(other)
    }

    /// Whether a reference leads to the credential's own variable, and this program has another one
    /// than the process that was observed: a service has variables of its own, and not every release
    /// takes every file's.
    fn is_own_variable(&self, credential: Credential, location: Location<'s>) -> bool {
        let is_own = location.reference().is_some_and(|reference| {
            reference.kind == ReferenceKind::Environment && reference.target == credential.key()
        });
        let own = || self.own_variable(credential).and_then(|own| own.fingerprint());
        is_own && (self.is_service || own() != location.fingerprint())
    }

    /// Whether the variable that a reference names is one that this program gets: of those that only
    /// the process, or only the service, has, each sees its own.
    fn has_variable(&self, location: Location<'s>) -> bool {
        match self.installation.snapshot.location_attribute(location, "resolved-in") {
            Some("process") => !self.is_service,
            Some("service") => self.is_service,
            _ => true,
        }
    }

    /// The copy in the program's environment.
    fn own_variable(&self, credential: Credential) -> Option<Location<'s>> {
        self.environment(credential).iter().copied().find(Location::is_plain)
    }

    /// Whether something is configured there, whether or not it leads to a secret.
    pub(crate) fn is_set(&self, credential: Credential, place: Place) -> bool {
        self.at(credential, place).is_some_and(|location| is_set(&location))
    }

    /// Whether a value stands there, and no reference to one.
    pub(crate) fn is_plain(&self, credential: Credential, place: Place) -> bool {
        self.at(credential, place).is_some_and(|location| location.is_plain())
    }

    /// Whether the documentation's example stands there.
    pub(crate) fn is_example(&self, credential: Credential, place: Place) -> bool {
        let presence = self.at(credential, place).map(|location| location.presence);
        presence == Some(Presence::Placeholder)
    }

    /// Whether something stands there, but nothing in it.
    pub(crate) fn is_blank(&self, credential: Credential, place: Place) -> bool {
        let presence = self.at(credential, place).map(|location| location.presence);
        presence == Some(Presence::Empty)
    }

    /// The reference that stands there.
    pub(crate) fn reference(&self, credential: Credential, place: Place) -> Option<Location<'s>> {
        self.at(credential, place).filter(|location| location.reference().is_some())
    }

    /// Whether the reference that stands there leads to a secret.
    pub(crate) fn leads(&self, credential: Credential, place: Place) -> bool {
        self.reference(credential, place).is_some_and(|location| {
            if self.is_own_variable(credential, location) {
                return self.own_variable(credential).is_some();
            }
            let gets = self.has_environment && self.has_variable(location);
            location.is_elsewhere() || (gets && location.fingerprint().is_some())
        })
    }

    /// The table's order for this program, without what it does not look at here.
    pub(crate) fn order(&self, mode: Mode, credential: Credential) -> Vec<Place> {
        let Installation { version, in_service, .. } = *self.installation;
        order(version, self.program, mode, credential, in_service).to_vec()
    }

    /// The first place with a secret, where the program follows the references that `follows` names;
    /// it passes the others over.
    pub(crate) fn walk(
        &self,
        credential: Credential,
        places: &[Place],
        follows: impl Fn(Place) -> bool,
    ) -> Winner<'s> {
        let all = places.iter().flat_map(|place| {
            self.all_at(credential, *place).map(move |location| (*place, location))
        });
        Winner::of(all.filter_map(|(place, location)| {
            let one = Ranked::new(location, "");
            Some(if !follows(place) {
                one.without_references()
            } else if self.is_own_variable(credential, location) {
                Ranked::new(self.own_variable(credential)?, "")
            } else if self.has_environment && self.has_variable(location) {
                one.skipping_unresolved()
            } else {
                one.without_variables().skipping_unresolved()
            })
        }))
    }

    /// What a walk comes to.
    pub(crate) fn answer(
        &self,
        credential: Credential,
        places: Vec<Place>,
        follows: impl Fn(Place) -> bool,
    ) -> Answer<'s> {
        let winner = self.walk(credential, &places, follows);
        Answer { standing: winner.standing, next: winner.next, places }
    }

    /// The variables that this client looks at.
    pub(crate) fn variables(&self) -> &'static [Place] {
        let legacy = self.program == Program::Cli
            && era::takes_legacy_names(self.installation.version)
            && !self.call.forgoes_legacy_names();
        if legacy { &[Place::Env, Place::LegacyEnv] } else { &[Place::Env] }
    }
}

impl<'s> Answer<'s> {
    /// The program fails at a reference that should have led to a secret.
    pub(crate) fn failing(self, at: Option<Location<'s>>) -> Self {
        let standing = at.map_or(self.standing, |at| Standing::Unresolved(at.id));
        Self { standing, ..self }
    }

    /// Something else came out.
    pub(crate) fn becoming(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }
}
