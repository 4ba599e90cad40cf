//! What a restart would do to the agents.

use std::collections::{BTreeMap, BTreeSet};

use precedent_guest::{Decision, Location, Refusal, Severity, Snapshot, contract::LocationId};

use crate::{
    Settings,
    date::date,
    login::{Account, Login, State},
    reconnect::{Reconnect, agents},
};

const CODE: &str = "agents-lose-auth";

/// What a restart would do to the agents.
pub(crate) struct Outlook<'s, 'l> {
    settings: &'l Settings,
    logins: Vec<Fate<'s, 'l>>,
    /// To providers that the settings leave out.
    unjudged: Vec<&'l Login<'s>>,
    /// All agents.
    count: usize,
}

/// A login, and what can become of it.
struct Fate<'s, 'l> {
    login: &'l Login<'s>,
    /// The copy of another node that is written over it.
    source: Option<Location<'s>>,
    /// Where there is none: one that would be, if it were known to be of the same account.
    doubtful: Option<Location<'s>>,
    /// What its agent can do with all its logins to the provider.
    agent: Agent,
}

/// What an agent can do with all its logins to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Agent {
    /// It works.
    Works,
    /// It works if OpenClaw can renew one of them.
    Renews,
    /// It works once a copy of another node is written.
    Mendable,
    /// It does not work.
    Lost,
}

impl<'s, 'l> Outlook<'s, 'l> {
    pub(crate) fn new(
        snapshot: &'s Snapshot,
        settings: &'l Settings,
        logins: &'l [Login<'s>],
    ) -> Self {
        let is_judged =
            |login: &&Login<'_>| login.profile.is_none() || settings.judges(login.provider);
        let (judged, unjudged): (Vec<_>, Vec<_>) = logins.iter().partition(is_judged);
        let mut fates: Vec<Fate<'s, 'l>> = judged
            .into_iter()
            .map(|login| {
                let is_mended =
                    matches!(login.state, State::Dead(_)) && login.copy.can_be_written();
                let of = |account| login.source(snapshot, settings, account);
                let source = is_mended.then(|| of(Account::Same)).flatten();
                let doubtful =
                    (is_mended && source.is_none()).then(|| of(Account::Unknown)).flatten();
                Fate { login, source, doubtful, agent: Agent::Lost }
            })
            .collect();
        let mut best: BTreeMap<(&str, &str), Agent> = BTreeMap::new();
        for fate in &fates {
            let known = best.entry(fate.whose()).or_insert(Agent::Lost);
            *known = (*known).min(fate.alone());
        }
        for fate in &mut fates {
            fate.agent = best.get(&fate.whose()).copied().unwrap_or(Agent::Lost);
        }
        Self { settings, logins: fates, unjudged, count: agents(logins).len() }
    }

    /// Why a restart must not be: agents would lose what they authenticate with.
    pub(crate) fn refusal(&self, reconnect: &Reconnect) -> Option<Refusal> {
        let lost = self.of(|fate| fate.agent >= Agent::Mendable);
        if lost.is_empty() {
            return None;
        }
        let mut reason = self.losses(&lost);
        if let Some(more) = reconnect.in_words() {
            reason.push_str(". ");
            reason.push_str(&more);
        }
        Some(Refusal {
            remedy: Some(self.remedy(&lost)),
            locations: lost.iter().map(|fate| fate.login.copy.id).collect(),
            ..Refusal::new(CODE, reason)
        })
    }

    /// Says what holds outside a restart: what is mended, what is lost, what must be renewed.
    pub(crate) fn decide(&self, decision: &mut Decision) {
        for fate in &self.logins {
            if let Some(source) = fate.source {
                let until =
                    source.expires.map(|at| format!(" until {}", date(at))).unwrap_or_default();
                let (how, from) = (fate.login.in_words(), source.in_words());
                let reason = format!("{how}; {from} is valid{until}");
                decision.write_unless_equal(source, fate.login.copy, reason);
            }
            if let Some(copy) = fate.doubtful {
                let (here, there) = (fate.login.copy.label(), copy.in_words());
                let message = format!(
                    "{there} is valid, and not copied over {here}: only one of the two says of which account it is"
                );
                let found = decision.finding(Severity::Warning, "account-unknown", message);
                found
                    .at([fate.login.copy, copy])
                    .remedy(login_commands(std::iter::once(fate.login.provider)));
            }
        }
        let lost = self.of(|fate| fate.agent == Agent::Lost);
        if !lost.is_empty() {
            let message = self.losses(&lost);
            let found = decision.finding(Severity::Error, CODE, message);
            found.at(lost.iter().map(|fate| fate.login.copy)).remedy(self.remedy(&lost));
        }
        let renews = self.of(|fate| {
            fate.agent == Agent::Renews && matches!(fate.login.state, State::Renewable(_))
        });
        if !renews.is_empty() {
            let message = format!(
                "after a restart these must be renewed before their agents work: {}",
                grouped(&renews)
            );
            let found = decision.finding(Severity::Warning, "login-renewable", message);
            found.at(renews.iter().map(|fate| fate.login.copy)).remedy(
                "renew them while the gateway runs: openclaw models status --probe; then restart",
            );
        }
        let spare = self.of(|fate| {
            let is_spare = fate.agent <= Agent::Renews && fate.source.is_none();
            is_spare && matches!(fate.login.state, State::Dead(_)) && !fate.login.is_left_out
        });
        if !spare.is_empty() {
            let message =
                format!("of no use, while another login to the provider is: {}", grouped(&spare));
            let found = decision.finding(Severity::Info, "login-ended", message);
            found.at(spare.iter().map(|fate| fate.login.copy)).remedy(login_command(&spare));
        }
        for fate in &self.logins {
            fate.verdict(decision);
        }
        for login in &self.unjudged {
            let reason = format!("{} is to a provider that is not judged", login.name());
            decision.verdict(login.consumer.id, login.standing(), None, reason);
        }
    }

    fn of(&self, is_it: impl Fn(&Fate<'s, 'l>) -> bool) -> Vec<&Fate<'s, 'l>> {
        self.logins.iter().filter(|fate| is_it(fate)).collect()
    }

    fn losses(&self, lost: &[&Fate<'s, 'l>]) -> String {
        let who: BTreeSet<&str> = lost.iter().map(|fate| fate.login.agent).collect();
        let (count, all) = (who.len(), self.count);
        format!("a restart would leave {count} of {all} agents without a login: {}", grouped(lost))
    }

    /// The way out: copies of other nodes where there are such, else a new login.
    fn remedy(&self, lost: &[&Fate<'s, 'l>]) -> String {
        let mut ways = Vec::new();
        let mendable: Vec<Location<'s>> = lost.iter().filter_map(|fate| fate.source).collect();
        if let Some(last) = mendable.iter().filter_map(|source| source.expires).min() {
            ways.push(format!(
                "precedent apply writes {} (valid until {})",
                sources(&mendable),
                date(last)
            ));
        } else if !mendable.is_empty() {
            ways.push(format!("precedent apply writes {}", sources(&mendable)));
        }
        let rest: Vec<&Fate<'s, 'l>> =
            lost.iter().copied().filter(|fate| fate.agent == Agent::Lost).collect();
        if !rest.is_empty() {
            let command = login_command(&rest);
            ways.push(match self.settings.other_refresher() {
                Some(node) => format!("{command}, on {node}, then precedent apply here"),
                None => command,
            });
        }
        format!("before the restart: {}", ways.join("; "))
    }
}

impl<'s> Fate<'s, '_> {
    fn whose(&self) -> (&'s str, &'s str) {
        (self.login.agent, self.login.provider)
    }

    /// What the agent could do with this login alone. One that is not in its provider's order is not used.
    fn alone(&self) -> Agent {
        match &self.login.state {
            _ if self.login.is_left_out => Agent::Lost,
            State::Renewable(_) => Agent::Renews,
            State::Dead(_) if self.source.is_some() => Agent::Mendable,
            State::Dead(_) => Agent::Lost,
            State::Valid(_) | State::Elsewhere => Agent::Works,
        }
    }

    fn verdict(&self, decision: &mut Decision) {
        let login = self.login;
        let own = (login.is_usable() || matches!(login.state, State::Renewable(_)))
            .then_some(login.copy)
            .filter(|copy| !copy.is_unset());
        let wanted: Option<LocationId> = self.source.or(own).map(|location| location.id);
        let reason = format!("{} {}", login.name(), login.in_words());
        decision.verdict(login.consumer.id, login.standing(), wanted, reason);
    }
}

/// Logins by what is wrong with them, with the agents that have them.
fn grouped(fates: &[&Fate<'_, '_>]) -> String {
    let mut groups: Vec<((&str, String), Vec<&str>)> = Vec::new();
    for fate in fates {
        let key = (fate.login.name(), fate.login.in_words());
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, agents)) => agents.push(fate.login.agent),
            None => groups.push((key, vec![fate.login.agent])),
        }
    }
    let words =
        groups.iter().map(|((name, how), agents)| format!("{name} of {} {how}", agents.join(", ")));
    words.collect::<Vec<_>>().join("; ")
}

/// So many copies of a node are named; of more, their number.
const FEW: usize = 3;

/// The places that copies come from, each once.
pub(crate) fn sources(copies: &[Location<'_>]) -> String {
    let mut nodes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for copy in copies {
        nodes.entry(copy.node.unwrap_or_default()).or_default().insert(copy.in_words());
    }
    let words = nodes.into_iter().map(|(node, names)| match names.len() {
        count if count > FEW => format!("{count} logins of {node}"),
        _ => names.into_iter().collect::<Vec<_>>().join(", "),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// What makes a login anew, for each provider.
pub(crate) fn login_commands<'p>(providers: impl Iterator<Item = &'p str>) -> String {
    let providers: BTreeSet<&str> = providers.filter(|provider| !provider.is_empty()).collect();
    if providers.is_empty() {
        return "openclaw models auth login".to_owned();
    }
    let command = |provider: &&str| format!("openclaw models auth login --provider {provider}");
    providers.iter().map(command).collect::<Vec<_>>().join(", ")
}

fn login_command(fates: &[&Fate<'_, '_>]) -> String {
    login_commands(fates.iter().map(|fate| fate.login.provider))
}
