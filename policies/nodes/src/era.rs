//! Releases that keep logins in a database: files of them are leftovers, and moving one by a file is
//! forbidden by their documentation.

use std::collections::BTreeSet;

use precedent_guest::{Decision, Location, Severity};
use precedent_openclaw::{Installation, Version};

use crate::{
    Settings,
    login::{Account, Login},
    outlook::{self, login_commands},
};

/// The first release that does.
const SINCE: Version = Version(2026, 8, 0);

/// Whether a release does.
pub(crate) fn keeps_a_database(version: Version) -> bool {
    version >= SINCE
}

/// Says what the files are, and refuses to copy between them.
pub(crate) fn tell(
    installation: &Installation<'_>,
    settings: &Settings,
    logins: &[Login<'_>],
    decision: &mut Decision,
) {
    let version = installation.version;
    let agents: BTreeSet<&str> = logins.iter().map(|login| login.agent).collect();
    let agents: Vec<&str> = agents.into_iter().collect();
    let message = format!(
        "the files of the logins of {} are left over: {version} keeps logins in a database, and a leftover file blocks its providers",
        agents.join(", ")
    );
    let found = decision.finding(Severity::Warning, "login-file-left-over", message);
    found
        .at(logins.iter().map(|login| login.copy))
        .remedy("openclaw doctor --fix takes them into the database");
    let mut sources: Vec<Location<'_>> = Vec::new();
    let mut providers = BTreeSet::new();
    for login in logins.iter().filter(|login| !login.is_usable()) {
        let source = login.source(installation.snapshot, settings, Account::Same);
        if let Some(source) = source {
            providers.insert(login.provider);
            sources.push(source);
        }
    }
    if !sources.is_empty() {
        let message = format!(
            "not copied here: {}; {version} keeps logins in a database, and its documentation forbids to move one by copying files",
            outlook::sources(&sources)
        );
        let found = decision.finding(Severity::Error, "copy-refused", message);
        found
            .at(sources)
            .remedy(format!("{}, on this node", login_commands(providers.into_iter())));
    }
    for login in logins {
        let reason = format!(
            "{version} reads no file of logins; what its database holds cannot be told here"
        );
        decision.verdict(login.consumer.id, login.standing(), None, reason);
    }
}
