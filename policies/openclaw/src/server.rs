//! The gateway: what it takes when it starts, and keeps.

use precedent_guest::{Phase, Standing};

use crate::{
    AuthMode, Credential,
    Credential::{Password, Token},
    Mode, Place, Version, era,
    reader::{Answer, Reader},
};

/// What the gateway gets.
pub(crate) fn resolve<'s>(reader: &Reader<'_, 's>, credential: Credential) -> Answer<'s> {
    let found = found(reader, credential);
    if !starts(reader) {
        return found;
    }
    let mode = mode(reader);
    if reader.installation.is_ambiguous() || refuses(reader, mode) {
        return found.becoming(Standing::Invalid);
    }
    // It makes up a token for this run, where it needs one and finds none.
    if found.standing == Standing::Nothing && credential == Token && mode == AuthMode::Token {
        return found.becoming(Standing::Generated);
    }
    found
}

fn found<'s>(reader: &Reader<'_, 's>, credential: Credential) -> Answer<'s> {
    let version = reader.installation.version;
    let mut places = reader.order(Mode::Local, credential);
    let Some(reference) = reader.reference(credential, Place::Auth) else {
        let proxy = stated_mode(reader) == Some(AuthMode::TrustedProxy) && credential == Password;
        if starts(reader) && era::starts_on_remote(version) && !proxy {
            places.push(Place::Remote);
        }
        return reader.answer(credential, places, |_| false);
    };
    if era::starts_on_env_before_reference(version) {
        places.sort_by_key(|place| *place == Place::Auth);
    }
    let needed = version >= Version::KNOWS_REFERENCES
        && needs_reference(reader, credential)
        && !has_legacy_variable(reader, credential);
    if !era::starts_on_env_before_reference(version) && (needed || starts(reader)) {
        // Since then a reference is all that it takes notice of, even one that it does not need.
        places.retain(|place| *place != Place::Env);
    }
    let answer = reader.answer(credential, places, |_| needed);
    if needed && answer.standing == Standing::Nothing {
        answer.failing(Some(reference))
    } else {
        answer
    }
}

/// Whether the gateway needs what `gateway.auth.*` refers to, by the way in which clients
/// authenticate. Where no mode says it, it does not while the other secret can be had.
fn needs_reference(reader: &Reader<'_, '_>, credential: Credential) -> bool {
    let other = credential.other();
    match (stated_mode(reader), credential) {
        (Some(AuthMode::Token), Token) => true,
        (Some(AuthMode::Password), Password) => true,
        (Some(AuthMode::TrustedProxy), Password) => {
            era::serves_proxy_password(reader.installation.version)
        }
        (Some(_), _) => false,
        (None, _) => {
            let places = [Place::Call, Place::Env, Place::Auth];
            let has_other = places.iter().any(|place| reader.is_set(other, *place));
            !has_other && !has_legacy_variable(reader, other)
        }
    }
}

fn has_legacy_variable(reader: &Reader<'_, '_>, credential: Credential) -> bool {
    era::takes_legacy_names(reader.installation.version)
        && reader.is_set(credential, Place::LegacyEnv)
}

/// Whether it refuses to start on what stands where its secret should.
fn refuses(reader: &Reader<'_, '_>, mode: AuthMode) -> bool {
    let credential = match mode {
        AuthMode::Token => Token,
        AuthMode::Password => Password,
        AuthMode::TrustedProxy | AuthMode::Other => return false,
    };
    let version = reader.installation.version;
    let Answer { standing, places, .. } = found(reader, credential);
    let first = places.iter().find(|place| reader.is_set(credential, **place));
    let is_example = first.is_some_and(|place| reader.is_example(credential, *place));
    let is_blank = standing == Standing::Nothing && reader.is_blank(credential, Place::Auth);
    is_example && era::refuses_examples(version) || is_blank && era::refuses_blanks(version)
}

/// The mode that it starts in: a password makes it password mode where none is stated.
fn mode(reader: &Reader<'_, '_>) -> AuthMode {
    stated_mode(reader).unwrap_or_else(|| {
        let Answer { standing, places, .. } = found(reader, Password);
        let is_example = places.iter().any(|place| reader.is_example(Password, *place));
        let has_password = standing != Standing::Nothing || is_example;
        if has_password { AuthMode::Password } else { AuthMode::Token }
    })
}

fn stated_mode(reader: &Reader<'_, '_>) -> Option<AuthMode> {
    reader.call.auth_mode().or_else(|| reader.installation.stated_auth_mode())
}

/// Whether it is about to read its configuration anew.
fn starts(reader: &Reader<'_, '_>) -> bool {
    matches!(reader.installation.snapshot.phase(), Phase::Start | Phase::Restart)
}
