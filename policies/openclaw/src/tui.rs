//! The terminal interface: it decides by which credential it authenticates, and takes the other one
//! only from where it costs nothing.

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
    let mut places = reader.order(Mode::Remote, credential);
    let refers = |credential| reader.reference(credential, Place::Remote).is_some();
    let is_handed = |credential| reader.is_plain(credential, Place::Call);
    if era::keeps_to_reference(reader.installation.version) && (refers(Token) || refers(Password)) {
        let token = reader.is_plain(Token, Place::Remote) || reader.leads(Token, Place::Remote);
        if is_handed(Token) || is_handed(Password) {
            places = vec![Place::Call];
        } else if credential == Password && token {
            places.clear();
        } else {
            places.retain(|place| *place != Place::Env);
        }
    }
    let answer = reader.answer(credential, places, |_| true);
    let other = credential.other();
    let others = reader.walk(other, &reader.order(Mode::Remote, other), |_| true);
    match reader.reference(credential, Place::Remote) {
        Some(at)
            if answer.standing == Standing::Nothing
                && others.standing == Standing::Nothing
                && !reader.leads(credential, Place::Remote) =>
        {
            answer.failing(at)
        }
        _ => answer,
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
    let is_handed = |credential| reader.is_plain(credential, Place::Call);
    let keeps = era::keeps_to_reference(installation.version);
    if credential != used {
        places.retain(|place| *place != Place::Auth);
    }
    if keeps && reader.reference(used, Place::Auth).is_some() && !is_handed(used) {
        places.retain(|place| *place != Place::Env);
    }
    if era::may_set_up_from_config(installation.version)
        && installation.snapshot.fact("tui-setup-auth-source") == Some("config")
    {
        places.retain(|place| *place != Place::Env);
    }
    let answer = reader.answer(credential, places, |_| true);
    match reader.reference(credential, Place::Auth) {
        Some(at) if answer.standing == Standing::Nothing && credential == used => {
            answer.failing(at)
        }
        _ => answer,
    }
}

/// The credential by which it authenticates; none where the gateway asks for neither.
fn used(reader: &Reader<'_, '_>) -> Option<Credential> {
    match reader.installation.stated_auth_mode() {
        Some(AuthMode::Token) => return Some(Token),
        Some(AuthMode::Password) => return Some(Password),
        Some(AuthMode::TrustedProxy | AuthMode::Other) => return None,
        None => {}
    }
    let refers = reader.reference(Token, Place::Auth).is_some()
        && era::keeps_to_reference(reader.installation.version);
    let at_hand = reader.is_plain(Password, Place::Call) || reader.is_plain(Password, Place::Env);
    let configured = reader.is_set(Password, Place::Auth) && !reader.is_set(Token, Place::Auth);
    Some(if (at_hand && !refers) || configured { Password } else { Token })
}
