//! Where in a manifest a setting stands.

use std::{ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::ManifestError;

/// An error at a JSON pointer into `[settings]` of a manifest's text. Where the setting does not
/// stand there, the error has the place of what is nearest to it, or none.
#[must_use]
pub fn settings_error(path: &Path, text: &str, pointer: &str, message: String) -> ManifestError {
    ManifestError::at(path, text, span(text, pointer), message)
}

fn span(text: &str, pointer: &str) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let mut value: Option<&Spanned<DeValue<'_>>> = None;
    let mut nearest = None;
    for step in std::iter::once("settings".to_owned()).chain(steps) {
        let inner = match value.map(Spanned::get_ref) {
            None => table.get_ref().get_key_value(step.as_str()),
            Some(DeValue::Table(table)) => table.get_key_value(step.as_str()),
            Some(DeValue::Array(values)) => {
                value = step.parse::<usize>().ok().and_then(|index| values.get(index));
                nearest = value.map(Spanned::span).or(nearest);
                continue;
            }
            Some(_) => None,
        };
        let Some((key, inner)) = inner else { break };
        nearest = Some(key.span());
        value = Some(inner);
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_its_line() {
        let text = "[deployment]\nname = \"x\"\n\n[settings]\npersist = 3\nhosts = [\"a\", 2]\n[settings.deep]\nkey = 1\n";
        let at = |pointer| settings_error(Path::new("m"), text, pointer, String::new()).at;
        assert_eq!(at("/persist"), Some((5, 1)));
        assert_eq!(at("/hosts/1"), Some((6, 15)));
        assert_eq!(at("/deep/key"), Some((8, 1)));
        assert_eq!(at("/deep/other"), Some((7, 11)));
        assert_eq!(at("/missing"), Some((4, 2)));
        assert_eq!(settings_error(Path::new("m"), "", "/x", String::new()).at, None);
    }
}
