//! Which version a component is served with.

use super::{INTERFACE, Served};

/// Picks the newest version that is both exported and served.
///
/// # Errors
///
/// What the component speaks instead, what is served, and the way out, in words.
pub(in crate::decide) fn pick<'s>(
    exports: &[String],
    served: &'s [Served],
) -> Result<&'s Served, String> {
    let spoken = || {
        let rest = |name: &'_ String| name.strip_prefix(INTERFACE).map(ToOwned::to_owned);
        exports.iter().filter_map(rest).filter(|rest| rest.is_empty() || rest.starts_with('@'))
    };
    let is_spoken =
        |one: &&Served| spoken().any(|rest| rest.strip_prefix('@') == Some(one.version));
    if let Some(found) = served.iter().find(is_spoken) {
        return Ok(found);
    }
    // Oldest first, as one reads versions.
    let names = served.iter().rev().map(|one| format!("`{INTERFACE}@{}`", one.version));
    let names: Vec<String> = names.collect();
    let Some(spoken) = spoken().max_by_key(|rest| Version::of(rest)) else {
        return Err(format!("it does not export {}", names.join(" or ")));
    };
    let version = Version::of(&spoken);
    let newest = served.first().and_then(|one| Version::parse(one.version));
    let oldest = served.last().and_then(|one| Version::parse(one.version));
    let (which, way_out) = if version.as_ref().is_some_and(|version| !version.is_released) {
        (
            "a draft that this host does not serve",
            "use a precedent that is built with the feature `contract-draft`, or build the policy with the SDK of a version that is served",
        )
    } else if version.is_some() && version > newest {
        (
            "a policy built for a newer contract",
            "use a newer precedent, or build the policy with the SDK of a version that is served",
        )
    } else if version.is_some() && version < oldest {
        (
            "a policy built for an older contract, which is no longer served",
            "build it with the matching version of precedent-guest",
        )
    } else {
        (
            "which no release of precedent serves",
            "build it with the matching version of precedent-guest",
        )
    };
    Err(format!(
        "it speaks `{INTERFACE}{spoken}`, {which}; this host serves {}; {way_out}",
        names.join(" and ")
    ))
}

/// A version's numbers, as far as it takes to say which is newer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    numbers: Vec<u64>,
    /// A draft comes before the version that it becomes.
    is_released: bool,
}

impl Version {
    fn of(rest: &str) -> Option<Self> {
        Self::parse(rest.strip_prefix('@')?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (text, _) = text.split_once('+').unwrap_or((text, ""));
        let (numbers, draft) = text.split_once('-').unwrap_or((text, ""));
        let numbers = numbers.split('.').map(|number| number.parse().ok());
        Some(Self { numbers: numbers.collect::<Option<_>>()?, is_released: draft.is_empty() })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::v0, Served, pick};

    fn served(versions: &[&'static str]) -> Vec<Served> {
        versions.iter().map(|version| Served { version, bind: v0::bind }).collect()
    }

    fn picked(exports: &[&str], versions: &[&'static str]) -> Result<&'static str, String> {
        let exports: Vec<String> = exports.iter().map(|&name| name.to_owned()).collect();
        pick(&exports, &served(versions)).map(|served| served.version)
    }

    const OLD: &str = "precedent:policy/policy@0.1.0";
    const DRAFT: &str = "precedent:policy/policy@0.2.0-draft";

    #[test]
    fn the_newest_version_that_both_have_is_served() {
        for (exports, versions, version) in [
            (vec![OLD], vec!["0.1.0"], "0.1.0"),
            (vec![OLD, DRAFT], vec!["0.1.0"], "0.1.0"),
            (vec![OLD, DRAFT], vec!["0.2.0-draft", "0.1.0"], "0.2.0-draft"),
            (vec![DRAFT, OLD], vec!["0.2.0-draft", "0.1.0"], "0.2.0-draft"),
            (vec!["other:thing/policy@0.2.0-draft", OLD], vec!["0.2.0-draft", "0.1.0"], "0.1.0"),
            (vec!["precedent:policy/policy@9.0.0", OLD], vec!["0.1.0"], "0.1.0"),
        ] {
            assert_eq!(picked(&exports, &versions), Ok(version), "{exports:?} {versions:?}");
        }
    }

    #[test]
    fn what_is_not_served_is_told_with_the_way_out() {
        let refused = |export: &str, versions: &[&'static str]| {
            picked(&[export], versions).err().unwrap_or_default()
        };
        assert_eq!(
            refused(DRAFT, &["0.1.0"]),
            "it speaks `precedent:policy/policy@0.2.0-draft`, a draft that this host does not serve; this host serves `precedent:policy/policy@0.1.0`; use a precedent that is built with the feature `contract-draft`, or build the policy with the SDK of a version that is served"
        );
        assert_eq!(
            refused("precedent:policy/policy@9.0.0", &["0.2.0-draft", "0.1.0"]),
            "it speaks `precedent:policy/policy@9.0.0`, a policy built for a newer contract; this host serves `precedent:policy/policy@0.1.0` and `precedent:policy/policy@0.2.0-draft`; use a newer precedent, or build the policy with the SDK of a version that is served"
        );
        for (export, versions, says) in [
            ("precedent:policy/policy@0.0.9", vec!["0.1.0"], "an older contract, which"),
            ("precedent:policy/policy@0.10.0", vec!["0.9.0"], "a newer contract"),
            ("precedent:policy/policy@0.2.0", vec!["0.2.0-draft", "0.1.0"], "a newer contract"),
            ("precedent:policy/policy@0.1.5", vec!["0.2.0", "0.1.0"], "which no release"),
            ("precedent:policy/policy@x", vec!["0.1.0"], "which no release"),
            ("precedent:policy/policy", vec!["0.1.0"], "which no release"),
            ("precedent:policy/other", vec!["0.1.0"], "it does not export `precedent:policy/pol"),
            ("precedent:policy/policy-of-mine@0.1.0", vec!["0.1.0"], "it does not export `"),
        ] {
            let said = refused(export, &versions);
            assert!(said.contains(says), "{export} {versions:?}: {said}");
        }
    }
}
