//! The terminal interface: it decides by which credential it authenticates, and takes the other one
//! only from the caller or a variable.

use precedent_guest::Standing;

use crate::{
    AuthMode, Credential,
    Credential::{Password, Token},
    Mode, Place, Version, era,
    reader::{Answer, Reader},
};

/// What the terminal interface gets.
pub(crate) fn resolve<'s>(reader: &Reader<'_, 's>, credential: Credential) -> Answer<'s> {
    let installation = reader.installation;
    if reader.call.url().is_some() {
        return reader.answer(credential, vec![Place::Call], |_| false);
    }
    match installation.mode {
        Mode::Remote => remote(reader, credential),
        Mode::Local if installation.version < Version::KNOWS_REFERENCES => {
            reader.answer(credential, reader.order(Mode::Local, credential), |_| true)
        }
        Mode::Local => local(reader, credential),
    }
}

fn remote<'s>(reader: &Reader<'_, 's>, credential: Credential) -> Answer<'s> {
    let refers = |credential| reader.reference(credential, Place::Remote).is_some();
    let keeps = keeps_to_reference(reader) && (refers(Token) || refers(Password));
    let found = |credential| {
        let mut places = reader.order(Mode::Remote, credential);
        if keeps {
            places.retain(|place| *place != Place::Env);
        }
        if keeps && is_handed_any(reader) {
            places = vec![Place::Call];
        }
        reader.answer(credential, places, |_| true)
    };
    let (token, password) = (found(Token), found(Password));
    if token.standing == Standing::Nothing && password.standing == Standing::Nothing {
        // It names the first reference that should have led to one.
        let at = if credential == Password && refers(Token) {
            None
        } else {
            reader.reference(credential, Place::Remote)
        };
        return found(credential).failing(at);
    }
    match credential {
        Token => token,
        Password if keeps && token.standing != Standing::Nothing && !is_handed_any(reader) => {
            reader.answer(Password, Vec::new(), |_| false)
        }
        Password => password,
    }
}

fn local<'s>(reader: &Reader<'_, 's>, credential: Credential) -> Answer<'s> {
    let installation = reader.installation;
    let mut places = reader.order(Mode::Local, credential);
    let Some(used) = used(reader) else {
        return reader.answer(credential, vec![Place::Call, Place::Env], |_| false);
    };
    if installation.is_ambiguous() {
        return reader.answer(credential, places, |_| true).becoming(Standing::Invalid);
    }
    if keeps_to_reference(reader) && is_handed_any(reader) && refers(reader) {
        return reader.answer(credential, vec![Place::Call], |_| false);
    }
    if credential != used {
        places.retain(|place| *place != Place::Auth);
    }
    let keeps = keeps_to_reference(reader) && reader.reference(used, Place::Auth).is_some();
    let sets_up = era::may_set_up_from_config(installation.version)
        && installation.snapshot.fact("tui-setup-auth-source") == Some("config");
    if keeps || sets_up {
        places.retain(|place| *place != Place::Env);
    }
    let answer = reader.answer(credential, places, |_| true);
    if answer.standing == Standing::Nothing && credential == used {
        return answer.failing(reader.reference(credential, Place::Auth));
    }
    answer
}

/// The credential by which it authenticates; none where the gateway asks for neither.
fn used(reader: &Reader<'_, '_>) -> Option<Credential> {
    match reader.installation.stated_auth_mode() {
        Some(AuthMode::Token) => return Some(Token),
        Some(AuthMode::Password) => return Some(Password),
        Some(AuthMode::TrustedProxy | AuthMode::Other) => return None,
        None => {}
    }
    let refers = keeps_to_reference(reader) && reader.reference(Token, Place::Auth).is_some();
    let at_hand = reader.is_plain(Password, Place::Call) || reader.is_plain(Password, Place::Env);
    let configured = reader.is_set(Password, Place::Auth) && !reader.is_set(Token, Place::Auth);
    Some(if (at_hand && !refers) || configured { Password } else { Token })
}

/// Whether `gateway.auth.*` refers to a secret by which it could authenticate.
fn refers(reader: &Reader<'_, '_>) -> bool {
    let refers = |credential| reader.reference(credential, Place::Auth).is_some();
    match reader.installation.stated_auth_mode() {
        Some(AuthMode::Token) => refers(Token),
        Some(AuthMode::Password) => refers(Password),
        Some(AuthMode::TrustedProxy | AuthMode::Other) => false,
        None => refers(Token) || refers(Password),
    }
}

fn is_handed_any(reader: &Reader<'_, '_>) -> bool {
    reader.is_plain(Token, Place::Call) || reader.is_plain(Password, Place::Call)
}

fn keeps_to_reference(reader: &Reader<'_, '_>) -> bool {
    era::keeps_to_reference(reader.installation.version)
}
