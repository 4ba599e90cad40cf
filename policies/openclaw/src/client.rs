//! The command line, the probe and node hosts: one resolver, asked differently.

use precedent_guest::{Location, Standing};

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
    let answer = client.found(credential);
    match client.failure(credential) {
        Some(at) => answer.failing(at),
        None => answer,
    }
}

impl<'s> Client<'_, '_, 's> {
    /// The places that the client looks at.
    fn places(&self, credential: Credential) -> Vec<Place> {
        let Reader { installation, program, call, .. } = *self.reader;
        let is_handed = |credential| self.reader.is_plain(credential, Place::Call);
        if era::is_content_with_call(program) && (is_handed(Token) || is_handed(Password)) {
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

    /// Whether the client would use what a reference leads to, as far as is known of the others. It
    /// does not follow one for nothing: a command may be at its end.
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
        wins && (self.is_stated(credential) || others.standing == Standing::Nothing)
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

    /// The reference at which the client fails, for it should have led to the secret.
    fn failure(&self, credential: Credential) -> Option<Location<'s>> {
        if self.version() < Version::KNOWS_REFERENCES {
            None
        } else if self.is_local() {
            self.failure_in_local_mode(credential)
        } else {
            self.failure_in_remote_mode(credential)
        }
    }

    /// It fails at `gateway.auth.*` of the credential by which it would authenticate: where nothing
    /// else is there, and where a variable is there which that reference should have come before.
    fn failure_in_local_mode(&self, credential: Credential) -> Option<Location<'s>> {
        let at = self.unfollowed(credential, Place::Auth)?;
        let found = self.found(credential);
        let authenticates = match self.reader.installation.stated_auth_mode() {
            None => self.found(credential.other()).standing == Standing::Nothing,
            Some(_) => self.may_authenticate_by(credential),
        };
        let comes_before = |variable: &Place| {
            let position = |place: Place| found.places.iter().position(|at| *at == place);
            position(Place::Auth) < position(*variable)
                && self.reader.is_plain(credential, *variable)
        };
        let passed_over = self.reader.variables().iter().any(comes_before);
        let fails = authenticates && (found.standing == Standing::Nothing || passed_over);
        fails.then_some(at)
    }

    /// It fails where neither secret is found, and no variable is set that it could have asked for.
    fn failure_in_remote_mode(&self, credential: Credential) -> Option<Location<'s>> {
        let nothing = |credential| self.found(credential).standing == Standing::Nothing;
        let variable =
            self.reader.variables().iter().any(|place| self.reader.is_plain(credential, *place));
        if variable || !nothing(Token) || !nothing(Password) {
            return None;
        }
        // The password of this machine's own gateway is nothing that it would insist on.
        let auth = (credential == Token && self.may_authenticate_by(Token))
            .then(|| self.unfollowed(credential, Place::Auth))
            .flatten();
        self.unfollowed(credential, Place::Remote).or(auth)
    }

    /// A reference among its places that it does not follow, or that leads nowhere.
    fn unfollowed(&self, credential: Credential, place: Place) -> Option<Location<'s>> {
        let looks = self.places(credential).contains(&place);
        let unfollowed = looks && !self.follows(credential, place);
        self.reader.reference(credential, place).filter(|_| unfollowed)
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
