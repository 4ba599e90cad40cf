//! Files of the logins of agents, `auth-profiles.json`: one for each agent, here and on other nodes.

use serde::Deserialize;
use toml::Spanned;

use super::{
    CommandSpec, ManifestError, PathTemplate, Selector,
    command::time,
    merge::{Source, lock_suffix},
    path::Candidate,
};
use crate::{artifact::PolicyRef, model::FAMILY};

/// What stands for the name of an agent in a command line.
const AGENT: &str = "{agent}";

/// The agent of a file whose path does not say.
const MAIN: &str = "main";

/// Files of logins, one for each agent: by `path` where they can be read, or by a program that prints one.
/// Every profile in them is a location `NAME@AGENT/PROFILE`; on another node, `NAME@NODE/AGENT/PROFILE`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ProfilesTable {
    /// What a grant of all the logins in them names.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// Where they are; one `*` stands for the name of the agent.
    path: Option<PathTemplate>,
    /// The program that prints such a file of another node, and its arguments; `{agent}` stands for the agent.
    read: Option<Vec<String>>,
    /// The agents whose files the program prints, or the one whose file it is; `main` where it is left out.
    #[serde(default)]
    agents: Vec<String>,
    /// The node they are on; this one where it is left out.
    node: Option<String>,
    /// The longest that a run of the program may take, in seconds; 10 where it is left out, 300 at most.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    seconds: Option<Spanned<u64>>,
    /// The variables that the program gets beside `PATH`, `HOME`, `USER`, `LANG` and `XDG_CONFIG_HOME`.
    #[serde(default)]
    pass_env: Vec<String>,
    /// What the name of the file ends in that the gateway takes for a lock on one, such as `.lock`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    lock_suffix: Option<Spanned<String>>,
    /// The shipped policies that are shown them; every policy where it is left out.
    #[serde(default)]
    policies: Vec<String>,
}

/// Files of logins, one for each agent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProfilesSpec {
    /// What a grant of all the logins in them names.
    pub name: String,
    /// Where they are.
    pub place: ProfilesPlace,
    /// The node they are on; this one where nobody says.
    pub node: Option<String>,
    /// What the path of one ends in with the file that its gateway takes for a lock on it.
    pub lock_suffix: Option<String>,
    /// The shipped policies that are shown them; empty for every policy.
    pub policies: Vec<String>,
}

/// Where files of logins are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ProfilesPlace {
    /// On a disk, with `*` for the agent; or of the agent that is named.
    Files(PathTemplate, Option<String>),
    /// What programs print, by the name of the agent.
    Printed(Vec<(String, CommandSpec)>),
}

impl ProfilesSpec {
    /// The name of the locations of what renews the logins. No grant covers them: what serves once must not
    /// be in two places.
    #[must_use]
    pub fn refresh_name(&self) -> String {
        format!("{}-refresh", self.name)
    }

    /// The programs that print them.
    pub fn commands(&self) -> impl Iterator<Item = &CommandSpec> {
        let printed = match &self.place {
            ProfilesPlace::Printed(printed) => printed.as_slice(),
            ProfilesPlace::Files(..) => &[],
        };
        printed.iter().map(|(_, command)| command)
    }
}

/// Whether something that is for some shipped policies is for this one; for every policy where none is named.
pub(crate) fn is_for(policies: &[String], policy: &PolicyRef) -> bool {
    let named = |name: &String| matches!(policy, PolicyRef::Shipped(shipped) if shipped == name);
    policies.is_empty() || policies.iter().any(named)
}

/// Checks what a table says.
///
/// # Errors
///
/// What is wrong, where, and what is allowed.
pub(super) fn profiles(
    source: &Source<'_>,
    table: &ProfilesTable,
) -> Result<ProfilesSpec, ManifestError> {
    let name = table.name.get_ref();
    let wrong = |message: String| Err(source.error(&table.name, message));
    if name.contains(FAMILY) {
        return wrong(format!(
            "a name holds no `{FAMILY}`, which stands before the agent of a profile"
        ));
    }
    let place = match (&table.path, &table.read) {
        (Some(path), None) => {
            let agent =
                match table.agents.as_slice() {
                    [] => None,
                    [agent] => Some(agent.clone()),
                    _ => return wrong(
                        "a `path` has one `*` for its agents; `agents` names one where it has none"
                            .into(),
                    ),
                };
            let stars = usize::from(agent.is_none());
            if candidates(path).any(|path| path.matches('*').count() != stars) {
                return wrong(match agent {
                    None => "a `path` has one `*`, for the name of the agent; or `agents = [\"...\"]` says whose it is".into(),
                    Some(_) => "a `path` whose agent is named has no `*`".into(),
                });
            }
            ProfilesPlace::Files(path.clone(), agent)
        }
        (None, Some(read)) => ProfilesPlace::Printed(printed(source, table, read)?),
        _ => return wrong(format!("profiles `{name}` need exactly one of `path` and `read`")),
    };
    Ok(ProfilesSpec {
        name: name.clone(),
        place,
        node: table.node.clone(),
        lock_suffix: table.lock_suffix.as_ref().map(|end| lock_suffix(source, end)).transpose()?,
        policies: table.policies.clone(),
    })
}

fn printed(
    source: &Source<'_>,
    table: &ProfilesTable,
    read: &[String],
) -> Result<Vec<(String, CommandSpec)>, ManifestError> {
    let wrong = |message: &str| Err(source.error(&table.name, message.to_owned()));
    if read.first().is_none_or(|program| program.trim().is_empty()) {
        return wrong("`read` begins with the name of a program");
    }
    if table.node.is_none() {
        return wrong("what a program prints is on another node; name it: `node = \"...\"`");
    }
    let time = time(source, table.seconds.as_ref())?;
    let main = [MAIN.to_owned()];
    let agents = if table.agents.is_empty() { main.as_slice() } else { &table.agents };
    if agents.len() > 1 && !read.iter().any(|word| word.contains(AGENT)) {
        return wrong("`read` has `{agent}` in it where there are several `agents`");
    }
    let call = |agent: &String| CommandSpec {
        read: read.iter().map(|word| word.replace(AGENT, agent)).collect(),
        at: Selector::WHOLE,
        encoding: None,
        digest: None,
        absent_exit: Vec::new(),
        absent_output: None,
        hides: None,
        write: None,
        pass_env: table.pass_env.clone(),
        time,
    };
    Ok(agents.iter().map(|agent| (agent.clone(), call(agent))).collect())
}

/// The paths as they are written.
pub(super) fn candidates(path: &PathTemplate) -> impl Iterator<Item = &String> {
    let (one, several) = match path {
        PathTemplate::One(path) => (Some(path), [].as_slice()),
        PathTemplate::FirstOf(candidates) => (None, candidates.as_slice()),
    };
    let of_several = several.iter().flat_map(|candidate| match candidate {
        Candidate::Path(path) => std::slice::from_ref(path),
        Candidate::Existing { existing } => existing.as_slice(),
    });
    one.into_iter().chain(of_several)
}
