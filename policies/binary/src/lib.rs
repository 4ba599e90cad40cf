//! A gateway that runs as a service, or from a shell. The configuration is the source of truth;
//! units and launch agents hold no secret.
//!
//! The story behind it: a unit embeds the token, the token is rotated in the configuration, and
//! service, command line and status probe disagree. So the copy in the unit goes. Where it is the only
//! one it is kept first, in the configuration, so that nobody is locked out; a new token is made only
//! where there is none anywhere.
//!
//! | module | what |
//! |---|---|
//! | `custody` | one credential: which copy is the truth, and what becomes of the others |
//! | `rotation` | a new secret takes the place of the old one |
//! | `settings` | the deployment's parameters |

mod custody;
mod rotation;
mod settings;

use precedent_guest::{Answer, Decision, Location, Policy, Snapshot, Standing};
use precedent_openclaw::{AuthMode, Credential, Installation, Mode, Resolved, holes};

use custody::Custody;
pub use settings::{NodeServices, Settings};

/// The policy.
pub struct Binary;

impl Policy for Binary {
    type Settings = Settings;

    const SETTINGS_SCHEMA: &'static str = include_str!("settings.schema.json");

    fn decide(snapshot: &Snapshot, settings: Settings) -> Answer {
        let installation = Installation::new(snapshot);
        let mut decision = Decision::default();
        holes::find(&installation, &mut decision);
        let mut truths = Vec::new();
        for credential in [Credential::Token, Credential::Password] {
            let in_use = is_in_use(&installation, credential);
            if let Some(refusal) = rotation::refusal(&installation, credential, in_use) {
                return Err(refusal);
            }
            let custody = Custody::new(&installation, credential, settings);
            truths.push((credential, custody.keep(in_use, &mut decision)?));
        }
        installation.judge(&mut decision, |consumer, resolved| {
            let name = snapshot.credential_name(consumer.credential);
            let truth = truths.iter().find(|(of, _)| of.name() == name);
            match truth.and_then(|(_, truth)| *truth) {
                Some(truth) => (Some(truth), format!("{} is the source of truth", truth.label())),
                None => (today(snapshot, resolved), "left as it is".to_owned()),
            }
        });
        Ok(decision)
    }
}

precedent_guest::export!(Binary);

/// Whether clients authenticate by a credential here.
fn is_in_use(installation: &Installation<'_>, credential: Credential) -> bool {
    if installation.mode == Mode::Remote {
        return true;
    }
    match installation.auth_mode() {
        AuthMode::Token => credential == Credential::Token,
        AuthMode::Password => credential == Credential::Password,
        AuthMode::TrustedProxy | AuthMode::Other => false,
    }
}

fn today<'s>(snapshot: &'s Snapshot, resolved: &Resolved<'_>) -> Option<Location<'s>> {
    match resolved.standing {
        Standing::Copy(id) => snapshot.location(id),
        _ => None,
    }
}
