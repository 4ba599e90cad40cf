//! The command line, the probe and node hosts: one resolver, asked differently.

use precedent_guest::Standing;

use crate::{
    AuthMode, Credential,
    Credential::{Password, Token},
    Mode, Place, Program, Version,
    call::Url,
    era,
    reader::{Answer, Reader},
};

/// A client, and which references it follows.
struct Client<'r, 'i, 's> {
    reader: &'r Reader<'i, 's>,
    followed: Vec<(Credential, Place)>,
}

/// What a client gets.
pub(crate) fn resolve<'s>(reader: &Reader<'_, 's>, credential: Credential) -> Answer<'s> {
    let mut client = Client { reader, followed: Vec::new() };
    // One after the other, in this order: what the first leads to can make the next needless.
    for (credential, place) in [
        (Token, Place::Auth),
        (Password, Place::Auth),
        (Token, Place::Remote),
        (Password, Place::Remote),
    ] {
        if reader.leads(credential, place) && client.would_use(credential, place) {
            client.followed.push((credential, place));
        }
    }
    // Where it would fail at a reference, it follows that one too, and looks again.
    let mut failure = client.failure();
    while let Some((credential, place)) = failure.filter(|at| reader.leads(at.0, at.1)) {
        client.followed.push((credential, place));
        failure = client.failure();
    }
    let answer = client.found(credential);
    match failure.filter(|at| at.0 == credential) {
        Some((_, place)) => answer.failing(reader.reference(credential, place)),
        None => answer,
    }
}

impl<'s> Client<'_, '_, 's> {
    /// The places that the client looks at, whatever stands there.
    fn places(&self, credential: Credential) -> Vec<Place> {
        let Reader { installation, program, call, .. } = *self.reader;
        let is_handed = |credential| self.reader.is_plain(credential, Place::Call);
        if era::is_content_with_call(installation.version, program)
            && (is_handed(Token) || is_handed(Password))
        {
            return vec![Place::Call];
        }
        let url = match call.url() {
            None if installation.url_override && program == Program::Cli => Some(Url::Environment),
            Some(Url::Environment) if !era::knows_source_of_url(installation.version) => {
                Some(Url::Caller)
            }
            url => url,
        };
        let mut places = match url {
            Some(Url::Caller) => Vec::new(),
            Some(Url::Environment) => vec![Place::Env, Place::LegacyEnv],
            None => {
                let asked = call.order(installation.version, installation.mode, credential);
                match asked.filter(|_| program == Program::Cli) {
                    Some(asked) => asked.to_vec(),
                    None => self.reader.order(installation.mode, credential),
                }
            }
        };
        let variables = self.reader.variables();
        places.retain(|place| *place != Place::LegacyEnv || variables.contains(place));
        if self.is_local()
            && credential == Password
            && installation.stated_auth_mode() == Some(AuthMode::TrustedProxy)
            && era::gives_proxy_password(installation.version)
        {
            places.retain(|place| *place != Place::Remote);
        }
        places
    }

    /// Whether the client would use what a reference leads to, if the references that it has not
    /// followed were not there. It does not follow one for nothing: a command may be at its end.
    fn would_use(&self, credential: Credential, place: Place) -> bool {
        if self.is_local() && !self.may_authenticate_by(credential) {
            return false;
        }
        let follows = |at: Place| at == place || self.follows(credential, at);
        let winner = self.reader.walk(credential, &self.places(credential), follows).standing;
        let wins = self
            .reader
            .at(credential, place)
            .is_some_and(|location| winner == Standing::Copy(location.id));
        let other = credential.other();
        let others =
            self.reader.walk(other, &self.places(other), |place| self.follows(other, place));
        let states = era::needs_what_mode_states(self.version()) && self.is_stated(credential);
        wins && (states || others.standing == Standing::Nothing)
    }

    /// The first secret. In local mode a reference at `gateway.auth.*` hides `gateway.remote.*`.
    fn found(&self, credential: Credential) -> Answer<'s> {
        let mut places = self.places(credential);
        if self.is_local()
            && era::keeps_to_auth(self.version())
            && self.reader.reference(credential, Place::Auth).is_some()
        {
            places.retain(|place| *place != Place::Remote);
        }
        self.reader.answer(credential, places, |place| self.follows(credential, place))
    }

    /// The reference at which the client fails, for it should have led to a secret.
    fn failure(&self) -> Option<(Credential, Place)> {
        if self.version() < Version::KNOWS_REFERENCES {
            None
        } else if self.is_local() {
            self.failure_in_local_mode()
        } else {
            self.failure_in_remote_mode()
        }
    }

    /// It fails at `gateway.auth.*` of the credential by which it would authenticate: where a variable
    /// is set which that reference should have come before, and where nothing else is there.
    fn failure_in_local_mode(&self) -> Option<(Credential, Place)> {
        let auth = |credential| (credential, Place::Auth);
        let authenticates = |at: &(Credential, Place)| {
            let states = self.reader.installation.stated_auth_mode().is_some();
            self.is_unfollowed(*at)
                && self.may_authenticate_by(at.0)
                && (states || self.finds_nothing(at.0.other()))
        };
        let candidates = || [auth(Token), auth(Password)].into_iter().filter(authenticates);
        candidates()
            .find(|at| self.comes_before_variable(at.0))
            .or_else(|| candidates().find(|at| self.finds_nothing(at.0)))
    }

    /// It fails where neither secret is found, and no variable is set that it could have asked for.
    fn failure_in_remote_mode(&self) -> Option<(Credential, Place)> {
        if !self.finds_nothing(Token) || !self.finds_nothing(Password) {
            return None;
        }
        // The password of this machine's own gateway is nothing that it would insist on.
        let mut insists = vec![(Token, Place::Remote), (Password, Place::Remote)];
        if self.may_authenticate_by(Token) {
            insists.push((Token, Place::Auth));
        }
        insists.into_iter().find(|at| self.is_unfollowed(*at) && !self.has_variable(at.0))
    }

    /// Whether a variable is set that `gateway.auth.*` comes before.
    fn comes_before_variable(&self, credential: Credential) -> bool {
        let places = self.places(credential);
        let position = |place: Place| places.iter().position(|at| *at == place);
        position(Place::Auth) < position(Place::Env) && self.has_variable(credential)
    }

    fn has_variable(&self, credential: Credential) -> bool {
        self.reader.variables().iter().any(|place| self.reader.is_plain(credential, *place))
    }

    fn finds_nothing(&self, credential: Credential) -> bool {
        self.found(credential).standing == Standing::Nothing
    }

    /// Whether a reference stands among its places that it has not followed.
    fn is_unfollowed(&self, (credential, place): (Credential, Place)) -> bool {
        self.reader.reference(credential, place).is_some()
            && self.places(credential).contains(&place)
            && !self.follows(credential, place)
    }

    fn follows(&self, credential: Credential, place: Place) -> bool {
        self.followed.contains(&(credential, place))
    }

    /// Whether clients of this machine's gateway can authenticate by a credential. Where no mode is
    /// set, they can by either.
    fn may_authenticate_by(&self, credential: Credential) -> bool {
        match (self.reader.installation.stated_auth_mode(), credential) {
            (None, _) => true,
            (Some(AuthMode::Token), Token) | (Some(AuthMode::Password), Password) => true,
            (Some(AuthMode::TrustedProxy), Password) => era::gives_proxy_password(self.version()),
            (Some(_), _) => false,
        }
    }

    /// Whether the mode of this machine's gateway says that a client here authenticates by it.
    fn is_stated(&self, credential: Credential) -> bool {
        self.is_local()
            && self.reader.installation.stated_auth_mode().is_some()
            && self.may_authenticate_by(credential)
    }

    fn is_local(&self) -> bool {
        self.reader.installation.mode == Mode::Local
    }

    fn version(&self) -> Version {
        self.reader.installation.version
    }
}
