//! One login of an agent, and whether it is valid.

use precedent_guest::{Consumer, Location, Snapshot, Standing};

use crate::{Settings, date::date};

/// A login of an agent of this node.
pub(crate) struct Login<'s> {
    /// The agent as a reader of it.
    pub(crate) consumer: Consumer<'s>,
    /// The agent.
    pub(crate) agent: &'s str,
    /// The profile; none of a file that cannot be read.
    pub(crate) profile: Option<&'s str>,
    /// Whom it is a login to.
    pub(crate) provider: &'s str,
    /// Where it is.
    pub(crate) copy: Location<'s>,
    /// Whether it is valid.
    pub(crate) state: State,
    /// Whether its provider has an order of profiles, and it is not in it.
    pub(crate) is_left_out: bool,
}

/// Whether a copy is of the account of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// It is, as far as both say.
    Same,
    /// Only one of the two says which it is.
    Unknown,
    /// It is not.
    Another,
}

/// Whether a login is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It is, for the margin at least; and until when.
    Valid(Option<u64>),
    /// It is kept elsewhere: who reads it finds it.
    Elsewhere,
    /// It has ended, and can be renewed.
    Renewable(String),
    /// It is of no use, and why.
    Dead(String),
}

impl<'s> Login<'s> {
    /// The login that an agent reads; none of what is no agent.
    pub(crate) fn of(
        snapshot: &'s Snapshot,
        settings: &Settings,
        consumer: Consumer<'s>,
    ) -> Option<Self> {
        let agent = snapshot.consumer_attribute(consumer, "agent")?;
        let reads = snapshot.consumer_attribute(consumer, "reads")?;
        let copy = snapshot.copies_of(consumer.credential).find(|copy| copy.name == reads)?;
        Some(Self {
            consumer,
            agent,
            profile: snapshot.location_attribute(copy, "profile"),
            provider: snapshot.consumer_attribute(consumer, "provider").unwrap_or_default(),
            copy,
            state: state(snapshot, settings, copy),
            is_left_out: snapshot.consumer_attribute(consumer, "order") == Some("none"),
        })
    }

    /// Whether an agent can work with it.
    pub(crate) fn is_usable(&self) -> bool {
        matches!(self.state, State::Valid(_) | State::Elsewhere)
    }

    /// What the agent gets.
    pub(crate) fn standing(&self) -> Standing {
        if self.copy.is_unreadable() {
            Standing::Invalid
        } else if self.copy.is_unset() {
            Standing::Nothing
        } else if self.copy.fingerprint().is_none() && !self.copy.is_elsewhere() {
            Standing::Unresolved(self.copy.id)
        } else {
            Standing::Copy(self.copy.id)
        }
    }

    /// The login in words.
    pub(crate) fn name(&self) -> &'s str {
        self.profile.unwrap_or("the file of its logins")
    }

    /// How it is, in words that go on after its name.
    pub(crate) fn in_words(&self) -> String {
        match &self.state {
            State::Valid(None) => "does not end".to_owned(),
            State::Valid(Some(until)) => format!("is valid until {}", date(*until)),
            State::Elsewhere => "is kept elsewhere".to_owned(),
            State::Renewable(why) => format!("{why}, and can be renewed"),
            State::Dead(why) => why.clone(),
        }
    }

    /// The copy of another node that could take its place, of such an account: of the same agent before others,
    /// and the one that lasts longest.
    pub(crate) fn source(
        &self,
        snapshot: &'s Snapshot,
        settings: &Settings,
        account: Account,
    ) -> Option<Location<'s>> {
        let copies = snapshot.copies_of(self.copy.credential).filter(|copy| copy.node.is_some());
        let such = copies.filter(|copy| self.account(snapshot, *copy) == account);
        let valid = such.filter(|copy| copy.is_copyable() && lasts(snapshot, settings, *copy));
        valid.filter(|copy| !copy.same_secret(&self.copy)).max_by_key(|copy| {
            let is_its = snapshot.location_attribute(*copy, "agent") == Some(self.agent);
            (is_its, copy.expires.unwrap_or(u64::MAX))
        })
    }

    fn account(&self, snapshot: &Snapshot, copy: Location<'_>) -> Account {
        let said = |copy, key| snapshot.location_attribute(copy, key);
        let is_oauth = [self.copy, copy].iter().any(|one| said(*one, "type") == Some("oauth"));
        match (said(self.copy, "account"), said(copy, "account")) {
            (Some(own), Some(other)) if own != other => Account::Another,
            (Some(_), None) | (None, Some(_)) if is_oauth => Account::Unknown,
            _ => Account::Same,
        }
    }
}

/// Whether what stands at a place is valid for the margin.
fn lasts(snapshot: &Snapshot, settings: &Settings, copy: Location<'_>) -> bool {
    let ends_always = snapshot.location_attribute(copy, "type") == Some("oauth");
    match copy.expires {
        Some(at) => at > snapshot.now().saturating_add(settings.margin()),
        None => !ends_always && snapshot.location_attribute(copy, "time") != Some("unusable"),
    }
}

fn state(snapshot: &Snapshot, settings: &Settings, copy: Location<'_>) -> State {
    let said = |key: &str| snapshot.location_attribute(copy, key);
    if copy.is_unreadable() {
        return State::Dead("cannot be read".to_owned());
    }
    // Who asks the host for it gets it from where that keeps it.
    if copy.is_elsewhere() || said("asks").is_some() {
        return State::Elsewhere;
    }
    if let Some(reference) = copy.reference().filter(|reference| reference.resolved.is_none()) {
        return State::Dead(format!("refers to {}, which is not set", reference.target));
    }
    // OpenClaw reads what stands there as milliseconds, whatever was meant.
    let is_misread = matches!(said("time"), Some("seconds" | "unusable"));
    if !copy.is_unset() && !is_misread && lasts(snapshot, settings, copy) {
        return State::Valid(copy.expires);
    }
    let ended = match copy.expires {
        _ if copy.is_unset() => "holds nothing".to_owned(),
        Some(_) if is_misread => {
            "has a time in seconds, which OpenClaw takes for long past".to_owned()
        }
        Some(at) if at > snapshot.now() => {
            format!("ends {}, within the margin of {} min", date(at), settings.margin_minutes)
        }
        Some(at) => format!("ended {}", date(at)),
        None => "has no time that OpenClaw can read".to_owned(),
    };
    if said("type") != Some("oauth") {
        return State::Dead(ended);
    }
    let failed = said("refresh-failed").and_then(|at| at.parse().ok());
    let why_not = match (said("refresh"), copy.refresh_expires, failed) {
        (Some("present"), Some(at), _) if at <= snapshot.now() => {
            format!("its refresh token ended {}", date(at))
        }
        (Some("present"), _, Some(at)) => format!("its renewal failed {}", date(at)),
        (Some("present"), _, None) => match settings.other_refresher() {
            None => return State::Renewable(ended),
            Some(node) => format!("only {node} may renew it"),
        },
        _ => "it has no refresh token".to_owned(),
    };
    State::Dead(format!("{ended} and cannot be renewed: {why_not}"))
}
