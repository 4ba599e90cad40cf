//! Paths with variables.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// One path, or several of which the first counts whose variables are all set. A path may begin
/// with `~` and hold `$NAME` or `${NAME}`; a relative one is relative to the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum PathTemplate {
    /// One path.
    One(String),
    /// The first whose variables are all set.
    FirstOf(Vec<Candidate>),
}

/// One of several paths.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Candidate {
    /// Counts where its variables are all set, whether or not something is there.
    Path(String),
    /// The first that exists counts. Where nothing counts, the first of these does.
    Existing {
        /// The paths.
        existing: Vec<String>,
    },
}

impl PathTemplate {
    /// The path, by the variables and by what exists; none where each candidate misses a variable.
    #[must_use]
    pub fn resolve(
        &self,
        base: &Path,
        variable: &dyn Fn(&str) -> Option<String>,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Option<PathBuf> {
        let at = |path: &String| Some(base.join(expand(path, variable)?));
        let candidates = match self {
            Self::One(path) => return at(path),
            Self::FirstOf(candidates) => candidates,
        };
        let mut otherwise = None;
        for candidate in candidates {
            match candidate {
                Candidate::Path(path) => {
                    if let Some(path) = at(path) {
                        return Some(path);
                    }
                }
                Candidate::Existing { existing } => {
                    for path in existing.iter().filter_map(at) {
                        if exists(&path) {
                            return Some(path);
                        }
                        otherwise = otherwise.or(Some(path));
                    }
                }
            }
        }
        otherwise
    }

    /// The paths as they are written, for messages.
    #[must_use]
    pub fn as_written(&self) -> String {
        let candidates = match self {
            Self::One(path) => return path.clone(),
            Self::FirstOf(candidates) => candidates,
        };
        let mut written: Vec<&str> = Vec::new();
        for candidate in candidates {
            let paths = match candidate {
                Candidate::Path(path) => std::slice::from_ref(path),
                Candidate::Existing { existing } => existing.as_slice(),
            };
            // One may stand twice: among those that exist, and for where none does.
            written.extend(paths.iter().map(String::as_str));
        }
        let mut seen = BTreeSet::new();
        written.retain(|path| seen.insert(*path));
        written.join(", else ")
    }
}

/// How much longer a path gets by its variables, about.
const ROOM: usize = 64;

fn expand(path: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let mut expanded = String::with_capacity(path.len() + ROOM);
    let mut rest = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            expanded.push_str(set("HOME")?.trim_end_matches('/'));
            rest
        }
        _ => path,
    };
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, after) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => after.split_at(
                after
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(after.len()),
            ),
        };
        // `${NAME%/*}` is the folder of what the variable names, as in a shell.
        let (name, folder) = name.strip_suffix("%/*").map_or((name, false), |name| (name, true));
        let value = set(name)?;
        let value = match value.rsplit_once('/').filter(|_| folder) {
            Some((above, _)) => above.to_owned(),
            None if folder => return None,
            None => value,
        };
        // What a gateway's own variables may hold, unexpanded, from a unit or a container file.
        match value.trim().strip_prefix("~/") {
            Some(below) if expanded.is_empty() => {
                expanded = format!("{}/{below}", set("HOME")?.trim_end_matches('/'));
            }
            _ => expanded.push_str(value.trim()),
        }
        rest = after;
    }
    expanded.push_str(rest);
    Some(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(paths: &[&str], variables: &[(&str, &str)]) -> Option<PathBuf> {
        let path = |path: &&str| Candidate::Path((*path).to_owned());
        among(&PathTemplate::FirstOf(paths.iter().map(path).collect()), variables, &[])
    }

    fn among(
        template: &PathTemplate,
        variables: &[(&str, &str)],
        existing: &[&str],
    ) -> Option<PathBuf> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        };
        let exists = |path: &Path| existing.iter().any(|known| Path::new(known) == path);
        template.resolve(Path::new("/base"), &variable, &exists)
    }

    #[test]
    fn of_old_and_new_names_the_one_that_exists_counts() {
        let template = PathTemplate::FirstOf(vec![
            Candidate::Path("$CONFIG".to_owned()),
            Candidate::Existing { existing: vec!["/new".to_owned(), "/old".to_owned()] },
        ]);
        let path = |variables: &[_], existing: &[_]| {
            among(&template, variables, existing).map(|path| path.display().to_string())
        };
        assert_eq!(path(&[("CONFIG", "/c")], &["/old"]).as_deref(), Some("/c"));
        assert_eq!(path(&[], &["/old"]).as_deref(), Some("/old"));
        assert_eq!(path(&[], &["/old", "/new"]).as_deref(), Some("/new"));
        assert_eq!(path(&[], &[]).as_deref(), Some("/new"));
    }

    #[test]
    fn the_first_path_whose_variables_are_set_counts() {
        let paths = ["$CONFIG", "${STATE}/openclaw.json", "~/.openclaw/openclaw.json"];
        let all = [("CONFIG", "/c.json"), ("STATE", "/state"), ("HOME", "/home/node")];
        let path = |variables| resolve(&paths, variables).map(|p| p.display().to_string());
        assert_eq!(path(&all).as_deref(), Some("/c.json"));
        assert_eq!(path(&all[1..]).as_deref(), Some("/state/openclaw.json"));
        assert_eq!(path(&all[2..]).as_deref(), Some("/home/node/.openclaw/openclaw.json"));
        assert_eq!(path(&[]), None);
        assert_eq!(path(&[("HOME", " ")]), None);
        let folder = resolve(&["${CONFIG%/*}/.env"], &[("CONFIG", "/etc/claw/c.json")]);
        assert_eq!(folder, Some(PathBuf::from("/etc/claw/.env")));
        let unexpanded = [("STATE", " ~/st "), ("HOME", "/home/node")];
        assert_eq!(path(&unexpanded).as_deref(), Some("/home/node/st/openclaw.json"));
    }

    #[test]
    fn a_relative_path_is_relative_to_the_manifest() {
        assert_eq!(resolve(&["x/y.json"], &[]), Some(PathBuf::from("/base/x/y.json")));
        assert_eq!(resolve(&["a~b"], &[]), Some(PathBuf::from("/base/a~b")));
    }
}
