//! Paths with variables.

use std::path::{Path, PathBuf};

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
    FirstOf(Vec<String>),
}

impl PathTemplate {
    fn candidates(&self) -> &[String] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::FirstOf(paths) => paths,
        }
    }

    /// The path, by the variables; none where each candidate misses one.
    #[must_use]
    pub fn resolve(
        &self,
        base: &Path,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Option<PathBuf> {
        self.candidates().iter().find_map(|path| Some(base.join(expand(path, variable)?)))
    }

    /// The paths as they are written, for messages.
    #[must_use]
    pub fn as_written(&self) -> String {
        self.candidates().join(", else ")
    }
}

fn expand(path: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let mut expanded = String::new();
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
        let value = set(name)?;
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
        let template = PathTemplate::FirstOf(paths.iter().map(ToString::to_string).collect());
        template.resolve(Path::new("/base"), &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        })
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
        let unexpanded = [("STATE", " ~/st "), ("HOME", "/home/node")];
        assert_eq!(path(&unexpanded).as_deref(), Some("/home/node/st/openclaw.json"));
    }

    #[test]
    fn a_relative_path_is_relative_to_the_manifest() {
        assert_eq!(resolve(&["x/y.json"], &[]), Some(PathBuf::from("/base/x/y.json")));
        assert_eq!(resolve(&["a~b"], &[]), Some(PathBuf::from("/base/a~b")));
    }
}
