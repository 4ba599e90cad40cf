//! What a consumer gets, why, and what it would get next.

use precedent_guest::{
    Consumer, Decision, Location, Phase, Ranking, Severity, Standing, contract::Verdict,
};

use crate::{
    AuthMode, Credential, Installation, Mode, Place, Program, Version,
    call::Call,
    era::{self, order},
};

/// What a consumer gets when it resolves its credential.
#[derive(Debug, Clone)]
pub struct Resolved<'s> {
    /// What it uses.
    pub standing: Standing,
    /// What it would use if that copy vanished.
    pub next: Option<Location<'s>>,
    /// Its order in words, such as `cli reads gateway.auth.token, then the environment`.
    pub order: String,
    /// Whether it is a program that this library knows.
    pub known: bool,
}

impl<'s> Installation<'s> {
    /// Resolves a consumer's credential as the program would. A consumer that is no program of
    /// OpenClaw's and has no attribute `program` gets nothing.
    #[must_use]
    pub fn resolve(&self, consumer: Consumer<'_>) -> Resolved<'s> {
        let name = self.snapshot.consumer_attribute(consumer, "program").unwrap_or(&consumer.name);
        let credential = Credential::from_name(self.snapshot.credential_name(consumer.credential));
        let (Some(program), Some(credential)) = (Program::from_name(name), credential) else {
            return Resolved {
                standing: Standing::Nothing,
                next: None,
                order: format!("{} is no program of OpenClaw's", consumer.name),
                known: false,
            };
        };
        let places = self.places(consumer, program, credential);
        let order = self.in_words(consumer, credential, &places);
        let winner = self.ranking(consumer, program, credential, &places).resolve();
        let standing = match winner.standing {
            _ if !self.is_readable() => Standing::Invalid,
            _ if program == Program::Gateway && self.starts() && self.is_ambiguous() => {
                Standing::Invalid
            }
            Standing::Nothing if self.generates(program, credential) => Standing::Generated,
            Standing::Nothing => self.left_over(consumer, program, credential, &places),
            standing => standing,
        };
        Resolved { standing, next: winner.next, order, known: true }
    }

    /// Adds a verdict for every consumer: what it uses today, and the copy that `wanted` names for
    /// it, with the reason.
    pub fn judge(
        &self,
        decision: &mut Decision,
        wanted: impl Fn(Consumer<'_>, &Resolved<'_>) -> (Option<Location<'s>>, String),
    ) {
        for consumer in self.snapshot.consumers() {
            let resolved = self.resolve(consumer);
            let (wanted, why) = if resolved.known {
                wanted(consumer, &resolved)
            } else {
                let message = format!(
                    "nothing is known of how {} reads its credential, so nothing is said of it",
                    consumer.name
                );
                decision.finding(Severity::Warning, "consumer-unknown", message).remedy(
                    "give the consumer the attribute `program`: gateway, cli, tui, probe or node-host",
                );
                (None, "left out".to_owned())
            };
            decision.verdicts.push(Verdict {
                consumer: consumer.id,
                today: resolved.standing,
                wanted: wanted.map(|location| location.id),
                reason: format!("{}; {why}", resolved.order),
                next: resolved.next.map(|location| location.id),
            });
        }
    }

    fn ranking(
        &self,
        consumer: Consumer<'_>,
        program: Program,
        credential: Credential,
        places: &[Place],
    ) -> Ranking<'s> {
        let needed = self.is_needed(credential);
        let ranking = places.iter().fold(Ranking::default(), |ranking, place| {
            let one = Ranking::default().then(self.location(name_of(credential, *place)), "");
            let stops = era::stops_at_unresolved(self.version, program, self.mode, *place, needed);
            ranking.followed_by(if stops { one } else { one.skipping_unresolved() })
        });
        if !era::follows_references(self.version, program, needed) {
            ranking.without_references()
        } else if !self.has_environment(consumer) {
            ranking.without_variables()
        } else {
            ranking
        }
    }

    /// A client in remote mode that ends with neither secret fails at the reference that should have
    /// led to one.
    fn left_over(
        &self,
        consumer: Consumer<'_>,
        program: Program,
        credential: Credential,
        places: &[Place],
    ) -> Standing {
        let fails = self.mode == Mode::Remote
            && program != Program::Gateway
            && self.version >= Version::KNOWS_REFERENCES;
        let needed = self.is_needed(credential);
        let unresolved = places
            .iter()
            .filter(|place| needed || **place == Place::Remote)
            .filter_map(|place| self.location(name_of(credential, *place)))
            .find(|location| fails && location.reference().is_some());
        let other = credential.other();
        let others = self.places(consumer, program, other);
        let has_other = || {
            let other = self.ranking(consumer, program, other, &others).resolve();
            let env = self.location(credential.env());
            other.standing != Standing::Nothing || env.is_some_and(|env| env.is_plain())
        };
        match unresolved {
            Some(location) if !has_other() => Standing::Unresolved(location.id),
            _ => Standing::Nothing,
        }
    }

    fn places(
        &self,
        consumer: Consumer<'_>,
        program: Program,
        credential: Credential,
    ) -> Vec<Place> {
        let usual = order(self.version, program, self.mode, credential, self.in_service);
        let asked = Call::new(self.snapshot).order(self.version, self.mode, credential);
        let order = asked.filter(|_| program == Program::Cli).unwrap_or(usual);
        let mut places = if self.url_override && program == Program::Cli {
            vec![Place::Env]
        } else {
            order.to_vec()
        };
        if program == Program::Gateway && self.starts() && era::starts_on_remote(self.version) {
            places.push(Place::Remote);
        }
        if self.mode == Mode::Local
            && program != Program::Gateway
            && credential == Credential::Password
            && self.snapshot.fact("gateway.auth.mode") == Some("trusted-proxy")
            && era::trusts_proxy_without_password(self.version)
        {
            places.retain(|place| *place != Place::Remote);
        }
        let reference = self.location(credential.auth()).filter(|l| l.reference().is_some());
        if let Some(reference) = reference {
            if program == Program::Gateway && era::starts_on_env_before_reference(self.version) {
                places.sort_by_key(|place| *place != Place::Env);
            } else if program == Program::Gateway && self.starts() && !self.is_needed(credential) {
                // A reference that the server does not need is all that it takes notice of.
                places.clear();
            }
            let leads_nowhere = reference.fingerprint().is_none() && !reference.is_elsewhere();
            if self.mode == Mode::Local && leads_nowhere && era::keeps_to_auth(self.version) {
                places.retain(|place| *place != Place::Remote);
            }
        }
        if !self.has_environment(consumer) {
            places.retain(|place| *place != Place::Env);
        }
        places
    }

    /// Whether the program gets the environment that was observed. One that does not, such as a
    /// hook that is started without it, has the attribute `environment = "none"`.
    fn has_environment(&self, consumer: Consumer<'_>) -> bool {
        self.snapshot.consumer_attribute(consumer, "environment") != Some("none")
    }

    fn in_words(&self, consumer: Consumer<'_>, credential: Credential, places: &[Place]) -> String {
        let labels: Vec<&str> = places
            .iter()
            .filter_map(|place| self.location(name_of(credential, *place)))
            .map(|location| location.label())
            .collect();
        let mode = match self.mode {
            Mode::Local => "",
            Mode::Remote => " in remote mode",
        };
        let consumer = &consumer.name;
        match labels.as_slice() {
            [] => format!("{consumer} looks nowhere{mode}"),
            labels => format!("{consumer}{mode} reads {}", labels.join(", then ")),
        }
    }

    /// Whether clients need this credential, by the way in which they authenticate. Where no mode is
    /// set, a password that can be had makes the token needless.
    fn is_needed(&self, credential: Credential) -> bool {
        match (self.auth_mode(), credential) {
            (AuthMode::Token, Credential::Token) | (AuthMode::Password, Credential::Password) => {
                true
            }
            (AuthMode::Token | AuthMode::Password | AuthMode::Other, _) => false,
        }
    }

    /// Whether the server is about to read its configuration anew.
    fn starts(&self) -> bool {
        matches!(self.snapshot.phase(), Phase::Start | Phase::Restart)
    }

    /// The server starts with a token that it makes up, where it needs one and finds none.
    fn generates(&self, program: Program, credential: Credential) -> bool {
        program == Program::Gateway
            && credential == Credential::Token
            && self.starts()
            && self.auth_mode() == AuthMode::Token
    }
}

fn name_of(credential: Credential, place: Place) -> &'static str {
    match place {
        Place::Env => credential.env(),
        Place::Auth => credential.auth(),
        Place::Remote => credential.remote(),
    }
}
