//! The words of a manifest in what is run: `{key}` stands for what is given for it.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{Input, Word};
use crate::{
    config::{ManifestError, merge::Source},
    model::Pointer,
};

/// The words of one location.
pub(super) struct Words<'w> {
    pub(super) source: &'w Source<'w>,
    pub(super) name: &'w Spanned<String>,
    pub(super) given: BTreeMap<&'w str, &'w str>,
}

impl Words<'_> {
    /// A text with its words filled in. `{secret}` stays.
    pub(super) fn fill(&self, text: &str) -> Result<String, ManifestError> {
        self.fill_with(text, &|word| word.to_owned())
    }

    fn fill_with(
        &self,
        text: &str,
        escaped: &dyn Fn(&str) -> String,
    ) -> Result<String, ManifestError> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            match after.split_once('}') {
                Some((word, after)) if is_word(word) => {
                    match self.given.get(word) {
                        Some(value) => filled.push_str(&escaped(value)),
                        None if word == "secret" => filled.push_str(Input::SECRET),
                        None => {
                            let message = format!(
                                "`{{{word}}}` stands for nothing; add `with = {{ {word} = \"...\" }}`"
                            );
                            return Err(self.source.error(self.name, message));
                        }
                    }
                    rest = after;
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    pub(super) fn pointer(&self, text: &str) -> Result<Pointer, ManifestError> {
        // A word is one step, whatever is in it.
        let escaped = |word: &str| word.replace('~', "~0").replace('/', "~1");
        let filled = self.fill_with(text, &escaped)?;
        Pointer::parse(&filled).map_err(|message| self.source.error(self.name, message.to_owned()))
    }

    /// A command line. What goes together is left out where one of its words is not given.
    pub(super) fn line(&self, line: &[Word]) -> Result<Vec<String>, ManifestError> {
        let mut filled = Vec::new();
        for word in line {
            match word {
                Word::One(word) => filled.push(self.word(word)?),
                Word::Together(words) if words.iter().any(|word| self.lacks(word)) => {}
                Word::Together(words) => {
                    for word in words {
                        filled.push(self.word(word)?);
                    }
                }
            }
        }
        match filled.first() {
            Some(program) if !program.is_empty() => Ok(filled),
            _ => Err(self
                .source
                .error(self.name, "a command begins with the name of a program".to_owned())),
        }
    }

    /// A word of a command line. What is given must not turn into a flag, or into another place of an
    /// address.
    fn word(&self, text: &str) -> Result<String, ManifestError> {
        let filled = self.fill(text)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        for (word, value) in &self.given {
            let is_used = text.contains(&format!("{{{word}}}"));
            let is_flag = text.starts_with('{') && value.starts_with('-');
            let is_address = text.starts_with("https://") && !value.chars().all(is_plain);
            if is_used
                && (value.is_empty()
                    || is_flag
                    || is_address
                    || value.chars().any(char::is_control))
            {
                let message = format!(
                    "`{word}` cannot be that in `{text}`: it is empty, begins with `-`, or holds a character that has a meaning there"
                );
                return Err(self.source.error(self.name, message));
            }
        }
        Ok(filled)
    }

    fn lacks(&self, text: &str) -> bool {
        let words = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
        words.into_iter().any(|word| is_word(word) && !self.given.contains_key(word))
    }

    pub(super) fn document(
        &self,
        value: &serde_json::Value,
    ) -> Result<serde_json::Value, ManifestError> {
        Ok(match value {
            serde_json::Value::String(text) => self.fill(text)?.into(),
            serde_json::Value::Object(map) => {
                let mut filled = serde_json::Map::new();
                for (key, value) in map {
                    filled.insert(self.fill(key)?, self.document(value)?);
                }
                filled.into()
            }
            serde_json::Value::Array(list) => {
                list.iter().map(|value| self.document(value)).collect::<Result<Vec<_>, _>>()?.into()
            }
            other => other.clone(),
        })
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}
