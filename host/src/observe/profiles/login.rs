//! One login of a file of them, without its secrets.

use std::{fmt, path::Path};

use serde_json::{Map, Value};

use super::text;

/// Milliseconds since 1970 have been more since 1973; seconds will not be before the year 5138.
const LEAST_MILLISECONDS: u64 = 100_000_000_000;

/// What a node shows of a reference: nothing that could be compared.
const A_REFERENCE: &str = "a secret that is kept elsewhere, of another node";

/// Where files have been seen to say when what renews a login ends.
const REFRESH_TIMES: [&str; 4] =
    ["refreshExpires", "refreshExpiresAt", "refreshTokenExpires", "refreshTokenExpiresAt"];

/// How a login authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// With a key that does not end.
    ApiKey,
    /// With a token that cannot be renewed.
    Token,
    /// With an access token that can.
    OAuth,
}

impl Form {
    /// What its secrets are called.
    pub(super) fn credential(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::Token => "token",
            Self::OAuth => "oauth",
        }
    }
}

/// When a login ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// It does not say.
    Never,
    /// In seconds since 1970.
    At(u64),
    /// The same, where the file has seconds instead of milliseconds.
    InSeconds(u64),
    /// What stands there is no time.
    Unusable,
}

impl Time {
    fn read(value: Option<&Value>) -> Self {
        let number = match value {
            None | Some(Value::Null) => return Self::Never,
            Some(Value::Number(number)) => number,
            Some(_) => return Self::Unusable,
        };
        let fraction = || number.as_f64().filter(|time| *time >= 0.0 && time.is_finite());
        match number.as_u64().or_else(|| fraction().map(|time| time as u64)) {
            None => Self::Unusable,
            Some(0) => Self::At(0),
            Some(time) if time < LEAST_MILLISECONDS => Self::InSeconds(time),
            Some(time) => Self::At(time / 1000),
        }
    }

    pub(super) fn seconds(self) -> Option<u64> {
        match self {
            Self::At(time) | Self::InSeconds(time) => Some(time),
            Self::Never | Self::Unusable => None,
        }
    }
}

/// Why an entry is no login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    NoObject,
    NoName,
    NoType,
    UnknownType,
}

impl Wrong {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoObject | Self::NoName => "profile-invalid",
            Self::NoType => "profile-without-type",
            Self::UnknownType => "profile-type-unknown",
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoObject => "is no object",
            Self::NoName => "has no name",
            Self::NoType => "has no `type`",
            Self::UnknownType => "has a `type` that is not known here",
        })
    }
}

/// A login, without its secrets.
pub(super) struct Login<'v> {
    pub(super) id: &'v str,
    pub(super) form: Form,
    pub(super) time: Time,
    pub(super) refresh_expires: Option<u64>,
    pub(super) has_refresh: bool,
    profile: &'v Map<String, Value>,
    provider: &'v str,
    /// When it last failed to authenticate, in seconds, if that is since it ended.
    failed: Option<u64>,
    /// Its place in the order of its provider; none where the provider has an order without it.
    order: Option<Option<usize>>,
    is_last_good: bool,
}

impl<'v> Login<'v> {
    /// Reads an entry of `profiles`; `file` is the whole file.
    pub(super) fn read(id: &'v str, profile: &'v Value, file: &'v Value) -> Result<Self, Wrong> {
        if id.is_empty() {
            return Err(Wrong::NoName);
        }
        let profile = profile.as_object().ok_or(Wrong::NoObject)?;
        let form = match text(profile, "type").map(str::trim) {
            None | Some("") => return Err(Wrong::NoType),
            Some("api_key") => Form::ApiKey,
            Some("token") => Form::Token,
            Some("oauth") => Form::OAuth,
            Some(_) => return Err(Wrong::UnknownType),
        };
        let named = || id.split_once(':').map_or(id, |(provider, _)| provider);
        let provider = text(profile, "provider").map(str::trim).filter(|p| !p.is_empty());
        let provider = provider.unwrap_or_else(named);
        let time =
            if form == Form::ApiKey { Time::Never } else { Time::read(profile.get("expires")) };
        let refresh_time = REFRESH_TIMES.iter().find_map(|key| profile.get(*key));
        let list = file.get("order").and_then(|order| order.get(provider)?.as_array());
        let position = |list: &Vec<Value>| list.iter().position(|one| one.as_str() == Some(id));
        let last_good = file.get("lastGood").and_then(|last| last.get(provider)?.as_str());
        let refresh = text(profile, "refresh").is_some_and(|refresh| !refresh.trim().is_empty());
        Ok(Self {
            id,
            form,
            time,
            refresh_expires: Time::read(refresh_time).seconds(),
            has_refresh: refresh,
            profile,
            provider,
            failed: failed(time, file.get("usageStats").and_then(|stats| stats.get(id))),
            order: list.map(position),
            is_last_good: last_good == Some(id),
        })
    }

    /// The key of its secret, and why another node shows nothing of it.
    pub(super) fn secret(&self) -> (&'static str, Option<&'static str>) {
        let (field, reference) = match self.form {
            Form::ApiKey => ("key", "keyRef"),
            Form::Token => ("token", "tokenRef"),
            Form::OAuth => ("access", "accessRef"),
        };
        let is_object = |key: &str| self.profile.get(key).is_some_and(Value::is_object);
        if self.form != Form::OAuth && is_object(reference) {
            return (reference, Some(A_REFERENCE));
        }
        (field, is_object(field).then_some(A_REFERENCE))
    }

    /// What a policy may know of its location.
    pub(super) fn attributes(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("type", self.form.credential().to_owned()),
            ("profile", self.id.to_owned()),
            ("provider", self.provider.to_owned()),
        ];
        if self.form == Form::OAuth {
            let refresh = if self.has_refresh { "present" } else { "absent" };
            all.push(("refresh", refresh.to_owned()));
            all.extend(self.failed.map(|at| ("refresh-failed", at.to_string())));
        }
        let time = match self.time {
            Time::InSeconds(_) => Some("seconds"),
            Time::Unusable => Some("unusable"),
            Time::Never | Time::At(_) => None,
        };
        all.extend(time.map(|time| ("time", time.to_owned())));
        let account = ["accountId", "email"].iter().find_map(|key| text(self.profile, key));
        all.extend(account.map(|account| ("account", account.to_owned())));
        all
    }

    /// What a policy may know of an agent that has it.
    pub(super) fn reader(&self, agent: &str) -> Vec<(&'static str, String)> {
        let mut all = vec![("agent", agent.to_owned()), ("provider", self.provider.to_owned())];
        all.extend(
            self.order.map(|at| {
                ("order", at.map_or_else(|| "none".to_owned(), |at| (at + 1).to_string()))
            }),
        );
        all.extend(self.is_last_good.then(|| ("last-good", "yes".to_owned())));
        all
    }
}

/// When a login last failed to authenticate, if that was after it had ended: then it was not renewed.
fn failed(time: Time, stats: Option<&Value>) -> Option<u64> {
    let failures = stats?.get("failureCounts")?.get("auth")?.as_u64()?;
    let at = Time::read(stats?.get("lastFailureAt")).seconds()?;
    let used = Time::read(stats?.get("lastUsed")).seconds().unwrap_or(0);
    let ended = time.seconds()?;
    (failures > 0 && at >= ended && used < at).then_some(at)
}

/// The part of a path that stands for `*` in a pattern.
pub(super) fn agent_of(pattern: &Path, path: &Path) -> Option<String> {
    pattern.components().zip(path.components()).find_map(|(pattern, found)| {
        let pattern = pattern.as_os_str().to_string_lossy();
        let (start, end) = pattern.split_once('*')?;
        let found = found.as_os_str().to_string_lossy();
        Some(found.strip_prefix(start)?.strip_suffix(end)?.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_is_in_milliseconds_and_may_be_in_seconds() {
        for (value, time) in [
            (json!(1_795_200_000_000_u64), Time::At(1_795_200_000)),
            (json!(1_795_200_000_000.5), Time::At(1_795_200_000)),
            (json!(1_795_200_000), Time::InSeconds(1_795_200_000)),
            (json!(0), Time::At(0)),
            (json!(-1), Time::Unusable),
            (json!("1795200000000"), Time::Unusable),
            (json!(null), Time::Never),
        ] {
            assert_eq!(Time::read(Some(&value)), time, "{value}");
        }
        assert_eq!(Time::read(None), Time::Never);
    }

    #[test]
    fn a_login_that_failed_after_it_had_ended_was_not_renewed() {
        let ended = Time::At(1_771_027_200);
        let stats = |at: u64, auth: u64, used: u64| json!({"lastFailureAt": at, "failureCounts": {"auth": auth}, "lastUsed": used});
        let at = |stats: Value| failed(ended, Some(&stats));
        assert_eq!(at(stats(1_771_027_300_000, 2, 0)), Some(1_771_027_300));
        assert_eq!(at(stats(1_771_027_100_000, 2, 0)), None);
        assert_eq!(at(stats(1_771_027_300_000, 0, 0)), None);
        assert_eq!(at(stats(1_771_027_300_000, 2, 1_771_027_400_000)), None);
        assert_eq!(failed(Time::Never, Some(&stats(1_771_027_300_000, 2, 0))), None);
    }

    #[test]
    fn what_is_no_login_says_why() {
        let read = |profile: Value| Login::read("a:b", &profile, &json!({})).err();
        assert_eq!(read(json!("x")), Some(Wrong::NoObject));
        assert_eq!(read(json!({"provider": "a"})), Some(Wrong::NoType));
        assert_eq!(read(json!({"type": 1})), Some(Wrong::NoType));
        assert_eq!(read(json!({"type": "passkey"})), Some(Wrong::UnknownType));
        assert_eq!(read(json!({"type": "oauth"})), None);
    }

    #[test]
    fn the_agent_is_what_stands_for_the_star() {
        let agent = |pattern: &str, path: &str| agent_of(Path::new(pattern), Path::new(path));
        assert_eq!(agent("/s/agents/*/a.json", "/s/agents/main/a.json").as_deref(), Some("main"));
        assert_eq!(agent("/s/agent-*-x/a.json", "/s/agent-ops-x/a.json").as_deref(), Some("ops"));
        assert_eq!(agent("/s/a.json", "/s/a.json"), None);
    }
}
