//! The logins of agents, before a restart. A gateway that runs renews them; one that starts reads what its
//! files hold, and where that has ended and cannot be renewed, every agent dies at once.
//!
//! The story behind it: fifteen agents, one login each, all of them ended, and so had what renews them. The
//! restart is refused before it happens, with the agents by name; a copy of another node that is valid mends
//! it. What renews a login is copied nowhere, for it may serve only once; and nothing is copied where the
//! gateway keeps its logins in a database. How many agents reconnect at once is told too, and what carries
//! them.
//!
//! | module | what |
//! |---|---|
//! | `date` | times as people read them |
//! | `era` | releases that keep logins in a database |
//! | `login` | one login of an agent, and whether it is valid |
//! | `outlook` | what a restart would do to the agents |
//! | `reconnect` | how many agents come back at once, and how many may |
//! | `renewal` | what renews a login, where two nodes have the same |
//! | `settings` | the deployment's parameters |

mod date;
mod era;
mod login;
mod outlook;
mod reconnect;
mod renewal;
mod settings;
#[cfg(test)]
mod tests;

use precedent_guest::{Answer, Decision, Phase, Policy, Severity, Snapshot};
use precedent_openclaw::{Installation, holes};

use login::Login;
use outlook::Outlook;
use reconnect::Reconnect;
pub use settings::Settings;

/// The policy.
pub struct Nodes;

impl Policy for Nodes {
    type Settings = Settings;

    const SETTINGS_SCHEMA: &'static str = include_str!("settings.schema.json");

    fn check_settings(settings: &Settings) -> Result<(), Vec<String>> {
        settings.check()
    }

    fn decide(snapshot: &Snapshot, settings: Settings) -> Answer {
        let installation = Installation::new(snapshot);
        let mut decision = Decision::default();
        let logins: Vec<Login<'_>> = snapshot
            .consumers()
            .filter_map(|agent| Login::of(snapshot, &settings, agent))
            .collect();
        for consumer in snapshot.consumers() {
            if !logins.iter().any(|login| login.consumer.id == consumer.id) {
                let (today, order) = installation.today(consumer);
                decision.verdict(consumer.id, today, None, format!("{order}; left as it is"));
            }
        }
        if logins.is_empty() {
            let message = "no login of an agent was found here, so none is judged";
            let found = decision.finding(Severity::Info, "no-logins", message);
            found.remedy(
                "run this as the gateway's user, or say where its state is: OPENCLAW_STATE_DIR",
            );
            return Ok(decision);
        }
        holes::version(&installation, &mut decision);
        let reconnect = Reconnect::new(snapshot, &settings, &logins);
        if era::keeps_a_database(installation.version) {
            era::tell(&installation, &settings, &logins, &mut decision);
        } else {
            let outlook = Outlook::new(snapshot, &settings, &logins);
            if let Some(refusal) =
                outlook.refusal(&reconnect).filter(|_| snapshot.phase() == Phase::Restart)
            {
                return Err(refusal);
            }
            outlook.decide(&mut decision);
            renewal::shared(snapshot, &settings, &mut decision);
        }
        reconnect.decide(&settings, &mut decision);
        Ok(decision)
    }
}

precedent_guest::export!(Nodes);
