//! Secrets handed to the programs of platforms.
//!
//! No two of them change together, and none can be put back by exchanging files: each write stands for
//! itself. It is made only where the place still holds what was planned on, and believed only when it
//! reads back.

use std::{fmt, path::Path, thread, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::ApplyFault;
use crate::{
    config::{CommandSpec, Deployment, Input, PlaceSpec, Trim, WriteSpec},
    model::{Location, Place, Presence, Snapshot, declared_name},
    observe::{
        World,
        commands::{Commands, Told, call, is_of, normal},
    },
    plan::{Change, NewContent},
    secret::{self, Key, Vault},
};

/// How often to read back: some platforms take a moment.
const LOOKS: u32 = 3;
/// How long between two looks.
const BETWEEN: Duration = Duration::from_secs(1);

/// Where the places of a plan are that programs write.
#[derive(Clone, Copy)]
pub struct Platforms<'p> {
    deployment: &'p Deployment,
    snapshot: &'p Snapshot,
    world: &'p dyn World,
}

impl fmt::Debug for Platforms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platforms")
            .field("deployment", &self.deployment.name)
            .finish_non_exhaustive()
    }
}

/// What a place holds.
enum Holds {
    It,
    Another,
    /// The platform does not show it.
    NotShown,
    /// It could not be read.
    NotKnown,
}

impl<'p> Platforms<'p> {
    /// The programs of a deployment, in the world in which the snapshot was seen.
    #[must_use]
    pub fn of(deployment: &'p Deployment, snapshot: &'p Snapshot, world: &'p dyn World) -> Self {
        Self { deployment, snapshot, world }
    }

    /// Whether a change is one of these.
    pub(super) fn is_its(change: &Change) -> bool {
        matches!(change.edit.place, Place::Command(_))
    }

    /// Makes one change.
    ///
    /// # Errors
    ///
    /// Where the place holds something else by now, and where the new secret does not read back.
    pub(super) fn write(self, change: &Change, vault: &Vault, key: &Key) -> Result<(), ApplyFault> {
        let fault = |reason: String| ApplyFault::Command { place: change.target.clone(), reason };
        let (spec, write, location) =
            self.place(change).ok_or_else(|| fault("no command is known that writes it".into()))?;
        let minted;
        let secret = match &change.edit.new {
            NewContent::SecretOf(from) => {
                vault.expose(*from).ok_or_else(|| fault("the secret is gone".to_owned()))?
            }
            NewContent::Minted => {
                minted = secret::mint().map_err(|error| fault(error.to_string()))?;
                SecretString::expose_secret(&minted)
            }
            _ => return Err(fault("only a secret can be written there".to_owned())),
        };
        if !self.is_as_planned(spec, location, key) {
            return Err(ApplyFault::CommandMoved { place: change.target.clone() });
        }
        if let Some(text) = write.refuses.iter().find(|text| secret.contains(text.as_str())) {
            let reason = format!(
                "the secret holds {text:?}, of which this platform would make something else"
            );
            return Err(fault(reason));
        }
        let input = input(&write.input, secret).map_err(fault)?;
        let base: &Path = &self.deployment.base;
        let called =
            call(self.world, base, &write.command, &spec.pass_env, &input, None, spec.time);
        // It may have written and failed after that, or said that all is well and not have written.
        match (self.reads_back(spec, secret, called.is_ok()), called) {
            (Holds::It, _) | (Holds::NotShown, Ok(_)) => Ok(()),
            (Holds::NotKnown, Ok(_)) => Err(fault(format!(
                "`{}` went well, but what the place holds now could not be read",
                write.command.join(" ")
            ))),
            (Holds::Another, Ok(_)) => Err(fault(format!(
                "`{}` went well, but the place does not hold the new secret",
                write.command.join(" ")
            ))),
            (holds, Err(error)) => {
                let now = match holds {
                    Holds::Another => "the new secret is not there",
                    _ => "what it holds now is not known",
                };
                Err(fault(format!("{}; {now}", error.in_words(&write.command, spec.time))))
            }
        }
    }

    fn place(self, change: &Change) -> Option<(&'p CommandSpec, &'p WriteSpec, &'p Location)> {
        let name = declared_name(&change.to);
        let spec = self.deployment.locations.iter().find(|location| location.name == name)?;
        let PlaceSpec::Command(spec) = &spec.place else { return None };
        Some((spec, spec.write.as_ref()?, self.snapshot.location(change.edit.location?)?))
    }

    fn told(self, spec: &CommandSpec) -> Told {
        Commands::run([spec].into_iter(), self.world, &self.deployment.base).told(spec)
    }

    /// Whether the place holds what was planned on.
    fn is_as_planned(self, spec: &CommandSpec, location: &Location, key: &Key) -> bool {
        let trim = |text: &str| {
            let credential = self.deployment.credentials.get(location.credential.index());
            credential.map_or(Trim::default(), |credential| credential.trim).of(text).to_owned()
        };
        match (self.told(spec), &location.presence) {
            (Told::Nothing, Presence::Absent) => true,
            (Told::Value(now), Presence::Plain(planned)) => {
                key.fingerprint(&Zeroizing::new(trim(&now))) == *planned
            }
            (Told::Value(now), Presence::Empty) => now.trim().is_empty(),
            (Told::Value(now), Presence::Placeholder) => {
                let credential = self.deployment.credentials.get(location.credential.index());
                credential.is_some_and(|known| known.placeholders.contains(&trim(&now)))
            }
            (Told::Digest(now), Presence::Reference(_)) => {
                location.shown == Some(key.fingerprint(&normal(&now)))
            }
            (Told::Hidden(_), Presence::Reference(_)) => location.shown.is_none(),
            _ => false,
        }
    }

    /// Looks what the place holds, some times where it should hold the new secret.
    fn reads_back(self, spec: &CommandSpec, secret: &str, should: bool) -> Holds {
        let looks = if should { LOOKS } else { 1 };
        for look in 0..looks {
            if look > 0 {
                thread::sleep(BETWEEN);
            }
            let holds = match self.told(spec) {
                Told::Value(now) => Some(now.trim_end_matches(['\n', '\r']) == secret),
                Told::Digest(digest) => {
                    match spec.digest.and_then(|form| is_of(form, &digest, secret)) {
                        None => return Holds::NotShown,
                        told => told,
                    }
                }
                Told::Nothing => Some(false),
                Told::Hidden(_) => return Holds::NotShown,
                Told::Fault(..) => None,
            };
            match holds {
                Some(true) => return Holds::It,
                Some(false) if look + 1 == looks => return Holds::Another,
                _ => {}
            }
        }
        Holds::NotKnown
    }
}

/// What a program reads that takes a secret.
fn input(form: &Input, secret: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    match form {
        Input::Text(text) if text == Input::SECRET => {
            Ok(Zeroizing::new(secret.as_bytes().to_vec()))
        }
        Input::Text(text) => {
            // Within a text of a form that is not known here, anything else could mean something else.
            let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_.~+/=:".contains(c);
            if !secret.chars().all(is_safe) {
                return Err("the secret holds a character that could mean something else in what this program reads; letters, digits and `-_.~+/=:` are safe".to_owned());
            }
            Ok(Zeroizing::new(text.replace(Input::SECRET, secret).into_bytes()))
        }
        Input::Json(document) => {
            let mut filled = document.clone();
            fill(&mut filled, secret);
            serde_json::to_vec(&filled).map(Zeroizing::new).map_err(|error| error.to_string())
        }
    }
}

fn fill(value: &mut serde_json::Value, secret: &str) {
    match value {
        serde_json::Value::String(text) if text.contains(Input::SECRET) => {
            *text = text.replace(Input::SECRET, secret);
        }
        serde_json::Value::Object(map) => map.values_mut().for_each(|value| fill(value, secret)),
        serde_json::Value::Array(list) => list.iter_mut().for_each(|value| fill(value, secret)),
        _ => {}
    }
}
