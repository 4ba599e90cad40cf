//! One secret on several platforms, such as `INTERNAL_AUTH_SECRET` on Railway, a server and a laptop. One
//! place is the authority. The others are told apart from it, and follow it where the deployment says so.
//!
//! Nothing is written because a platform could not be read, and nothing to a platform that would start a
//! service anew because of it, unless the deployment says that it may. What can be told is told, whatever
//! else cannot.

mod settings;

use precedent_guest::{
    Answer, Decision, Location, LocationKind, Policy, Refusal, Severity, Snapshot, Standing,
    contract::{CredentialId, Deed, Transfer},
};
use precedent_openclaw::Installation;

pub use settings::Settings;

/// The policy.
pub struct Paas;

impl Policy for Paas {
    type Settings = Settings;

    const SETTINGS_SCHEMA: &'static str = include_str!("settings.schema.json");

    fn decide(snapshot: &Snapshot, settings: Settings) -> Answer {
        let mut decision = Decision::default();
        refuse_unknown(snapshot, &settings)?;
        let sources: Vec<Source<'_>> = (0..)
            .zip(snapshot.credentials())
            .map(|(id, name)| source(snapshot, &settings, id, name, &mut decision))
            .collect();
        for source in &sources {
            match source.right {
                Some(right) => follow(snapshot, &settings, right, &mut decision),
                None => compare(snapshot, source.credential, &mut decision),
            }
        }
        let installation = Installation::new(snapshot);
        for consumer in snapshot.consumers() {
            let source = sources.iter().find(|source| source.credential == consumer.credential);
            let right = source.and_then(|source| source.right);
            let reason = match right {
                Some(right) if right.is_incoming() => "the new secret goes everywhere".to_owned(),
                Some(right) => format!("{} is the authority", right.in_words()),
                None => "no place is known to be right".to_owned(),
            };
            let (today, order) = installation.today(consumer);
            // Where it is not known what a program uses, nobody says that it is wrong.
            let is_known = snapshot.copy_at(today).is_none_or(|copy| !copy.is_unreadable());
            let is_ours = installation.out_of_reach(consumer).is_none();
            let right = right.filter(|_| is_known && is_ours);
            let reason = format!("{order}; {reason}");
            decision.verdict(consumer.id, today, right.map(|right| right.id), reason);
        }
        tell_of_the_empty_handed(snapshot, &mut decision);
        Ok(decision)
    }
}

precedent_guest::export!(Paas);

/// Where the right secret of a credential is, if that is known.
struct Source<'s> {
    credential: CredentialId,
    right: Option<Location<'s>>,
}

/// A setting that names what is not there would keep nothing in step, and nobody would know.
fn refuse_unknown(snapshot: &Snapshot, settings: &Settings) -> Result<(), Refusal> {
    for (credential, authority) in &settings.authority {
        let location = snapshot.named(authority)?;
        if snapshot.credential_name(location.credential) != credential {
            let holds = snapshot.credential_name(location.credential);
            let reason =
                format!("the authority of {credential} is {authority}, which holds {holds}");
            return Err(Refusal::new("wrong-authority", reason));
        }
    }
    settings.sync.iter().try_for_each(|name| snapshot.named(name).map(|_| ()))
}

fn source<'s>(
    snapshot: &'s Snapshot,
    settings: &Settings,
    credential: CredentialId,
    name: &str,
    decision: &mut Decision,
) -> Source<'s> {
    let authority = settings.authority.get(name).and_then(|name| snapshot.location_named(name));
    let Some(authority) = authority else {
        return Source { credential, right: None };
    };
    // Where the authority cannot take a new secret, the next run would undo it everywhere.
    let new = snapshot.incoming(credential).filter(|_| may_write(snapshot, settings, &authority));
    if snapshot.incoming(credential).is_some() && new.is_none() {
        let message =
            format!("the new secret cannot be written to {}, the authority", authority.in_words());
        let found = decision.finding(Severity::Error, "rotation-impossible", message);
        found.at([authority]).remedy("put it there by hand, then run this again");
    }
    let right = new.unwrap_or(authority);
    if right.is_copyable() {
        return Source { credential, right: Some(right) };
    }
    let why = if authority.is_unreadable() {
        "could not be read"
    } else if authority.is_elsewhere() {
        "does not show its secret"
    } else if authority.is_expired() {
        "holds a secret that has expired"
    } else {
        "holds no secret"
    };
    let message =
        format!("{}, the authority of {name}, {why}; nothing is written", authority.in_words());
    decision.finding(Severity::Error, "no-authority", message).at([authority]);
    Source { credential, right: None }
}

/// Has the other copies follow, and tells of those that do not.
fn follow(snapshot: &Snapshot, settings: &Settings, right: Location<'_>, decision: &mut Decision) {
    for copy in snapshot.copies_of(right.credential) {
        let name = copy.declared_name();
        // A new secret is first of all the authority's: the next run goes by that.
        let follows = settings.sync.iter().any(|named| named == name)
            || settings.authority.values().any(|named| named == name);
        // Where nothing is, nobody is misled: whoever should find something there drifts. And what
        // cannot be read the host has told.
        let is_nothing = copy.is_unset() && (!follows || !copy.durable);
        if copy.id == right.id || copy.same_secret(&right) || is_nothing || copy.is_unreadable() {
            continue;
        }
        let may = follows && copy.writable && may_start(snapshot, settings, &copy);
        let is_new = right.is_incoming();
        // A reference in a file is somebody's choice. What a platform does not show is written when it
        // differs for sure: by its digest, or because the secret is a new one. Else nobody would ever be
        // done with it.
        let is_platforms = copy.kind == LocationKind::Command;
        let differs = is_platforms && (is_new || !copy.is_elsewhere());
        if may && (copy.reference().is_none() || differs) {
            put(decision, right, copy, format!("follows {}", right.in_words()));
            continue;
        }
        if copy.is_elsewhere() {
            let (here, there) = (copy.in_words(), right.in_words());
            let (severity, message) = match is_new {
                false => (
                    Severity::Info,
                    format!("whether {here} holds the same as {there} cannot be told"),
                ),
                true => (
                    Severity::Error,
                    format!("{here} does not get {there}, and shows nothing of what it keeps"),
                ),
            };
            decision.finding(severity, "not-comparable", message).at([copy]);
            continue;
        }
        let what = if copy.is_unset() { "holds nothing" } else { "holds another secret" };
        let message = format!("{} {what}; {} is right", copy.in_words(), right.in_words());
        let remedy = match snapshot.location_attribute(copy, "on-write") {
            _ if !follows => format!(
                "add `{}` to the setting `sync`, or put the secret there by hand",
                copy.name
            ),
            Some(effect) if !settings.restarts => {
                format!(
                    "set `restarts = true` if this may happen: {effect}; or put the secret there by hand"
                )
            }
            _ => "put the secret there by hand: it cannot be written from here".to_owned(),
        };
        decision.finding(Severity::Error, "differs", message).at([copy, right]).remedy(remedy);
    }
}

/// Tells of programs that will find nothing although there is something that they should find.
fn tell_of_the_empty_handed(snapshot: &Snapshot, decision: &mut Decision) {
    let then = snapshot.after(decision);
    let installation = Installation::new(&then);
    let wanted: Vec<_> = decision.verdicts.iter().map(|one| (one.consumer, one.wanted)).collect();
    for consumer in then.consumers() {
        let found = wanted.iter().find(|(id, _)| *id == consumer.id);
        let right = found.and_then(|(_, wanted)| snapshot.location((*wanted)?));
        if let (Some(right), (Standing::Nothing, _)) = (right, installation.today(consumer)) {
            let message = format!("{} finds no copy; {} is right", consumer.name, right.in_words());
            decision.finding(Severity::Error, "no-copy", message).at([right]);
        }
    }
}

/// Tells whether the copies of a credential agree of which none is known to be right.
fn compare(snapshot: &Snapshot, credential: CredentialId, decision: &mut Decision) {
    let copies: Vec<Location<'_>> =
        snapshot.copies_of(credential).filter(|copy| copy.fingerprint().is_some()).collect();
    let Some(first) = copies.first() else { return };
    let others: Vec<Location<'_>> =
        copies.iter().copied().filter(|copy| !copy.same_secret(first)).collect();
    if others.is_empty() {
        return;
    }
    let names: Vec<String> = others.iter().map(Location::in_words).collect();
    let message = format!(
        "{} differs between {} and {}",
        snapshot.credential_name(credential),
        first.in_words(),
        names.join(", ")
    );
    let found = decision.finding(Severity::Error, "copies-disagree", message);
    found
        .at(std::iter::once(*first).chain(others))
        .remedy("name the right one in the setting `authority`");
}

fn may_write(snapshot: &Snapshot, settings: &Settings, to: &Location<'_>) -> bool {
    to.can_be_written() && may_start(snapshot, settings, to)
}

/// Whether what a write starts anew, if anything, may start.
fn may_start(snapshot: &Snapshot, settings: &Settings, to: &Location<'_>) -> bool {
    settings.restarts || snapshot.location_attribute(*to, "on-write").is_none()
}

/// Writes, also over what only refers to a secret, which wants a grant of its own.
fn put(decision: &mut Decision, from: Location<'_>, to: Location<'_>, reason: String) {
    decision.act(Deed::Write(Transfer { from: from.id, to: to.id }), reason);
}
