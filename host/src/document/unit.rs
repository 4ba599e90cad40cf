//! systemd units, read as systemd reads them and edited in place.
//!
//! A pointer is `/Section/Key` for the last value of a key, or `/Service/Environment/NAME` for a
//! variable that `Environment=` sets. systemd.syntax(7) and systemd.exec(5) say what the parts mean;
//! no library was found that splits `Environment=` as systemd does and keeps the text
//! (docs/decisions/0007).
//!
//! | module | what |
//! |---|---|
//! | `words` | the words of `Environment=` |
//! | `specifiers` | `%h`, `%t` and the like |

mod specifiers;
mod words;

use std::ops::Range;

use zeroize::Zeroizing;

use super::{Broken, DocumentError, line_and_column};
use crate::model::{Fault, Pointer};

pub(crate) use specifiers::Specifiers;
use specifiers::escape_specifiers;
use words::{quoted, word};

const ENVIRONMENT: &str = "Environment";

/// A unit's text, taken apart.
pub(crate) struct Unit<'t> {
    text: &'t str,
    entries: Vec<Entry>,
}

/// One `Key=Value`, over as many lines as it takes.
struct Entry {
    section: String,
    key: String,
    value: Logical,
    /// Its lines in the text, without comments between them.
    lines: Vec<Range<usize>>,
}

/// A value whose continued lines are one, and where each byte of it stands in the text.
#[derive(Default)]
struct Logical {
    text: Zeroizing<String>,
    offsets: Vec<usize>,
}

/// A word of `Environment=` as systemd splits it.
struct Word {
    /// Without its quotes and escapes; specifiers are still in it.
    value: Zeroizing<String>,
    /// Where it stands in the text, with its quotes.
    at: Range<usize>,
}

/// What a unit does with a service's environment, in the order of the text.
pub(crate) enum Step {
    /// `Environment=` with this variable.
    Set(String),
    /// An empty `Environment=`: what was set before is gone.
    Reset,
    /// `EnvironmentFile=`, with specifiers; whether it may be missing.
    File { path: String, optional: bool },
    /// An empty `EnvironmentFile=`: no file that was named before is read.
    NoFiles,
    /// `UnsetEnvironment=` with this variable, or with this value of it only.
    Unset(String, Option<Zeroizing<String>>),
    /// An empty `UnsetEnvironment=`: nothing that was named before is unset.
    NoUnset,
}

impl<'t> Unit<'t> {
    /// Takes a text apart. systemd warns of a line that it does not understand and goes on, and so
    /// do we: such a line stands where it stood.
    ///
    /// # Errors
    ///
    /// Where the text is no unit at all: it has no section, one that does not end, or a NUL.
    pub(crate) fn parse(text: &'t str) -> Result<Self, DocumentError> {
        let error = |offset: usize, message: &str| DocumentError {
            fault: Fault::Syntax,
            message: message.to_owned(),
            at: Some(line_and_column(text, offset)),
        };
        if let Some(offset) = text.find('\0') {
            return Err(error(offset, "a NUL byte, which no unit has"));
        }
        let mut entries = Vec::new();
        let mut section: Option<String> = None;
        let mut lines = physical_lines(text).into_iter().peekable();
        while let Some(line) = lines.next() {
            let content = text.get(line.content.clone()).unwrap_or_default();
            let trimmed = content.trim();
            if trimmed.is_empty() || is_comment(trimmed) {
                continue;
            }
            if let Some(name) = trimmed.strip_prefix('[') {
                let name = name.strip_suffix(']').ok_or_else(|| {
                    error(line.content.start, "a section that does not end in `]`")
                })?;
                section = Some(name.to_owned());
                continue;
            }
            let current = section.clone().unwrap_or_default();
            let mut logical = Logical::default();
            let mut own = vec![line.whole.clone()];
            let mut continues = logical.append(text, &line.content);
            while continues {
                let Some(next) = lines.next() else { break };
                let content = text.get(next.content.clone()).unwrap_or_default();
                if is_comment(content.trim_start()) {
                    continue;
                }
                own.push(next.whole.clone());
                continues = logical.append(text, &next.content);
            }
            let Some(equals) = logical.text.find('=') else { continue };
            let key = logical.text.get(..equals).unwrap_or_default().trim().to_owned();
            entries.push(Entry {
                section: current,
                key,
                value: logical.after(equals + 1),
                lines: own,
            });
        }
        if section.is_none() && !entries.is_empty() {
            return Err(error(0, "no section such as [Service]; this is no unit"));
        }
        Ok(Self { text, entries })
    }

    /// The value at a pointer, specifiers unexpanded; none where nothing sets it.
    pub(crate) fn find(&self, pointer: &Pointer) -> Option<Zeroizing<String>> {
        match pointer.steps() {
            [section, key] => self
                .of(section, key)
                .next_back()
                .map(|entry| Zeroizing::new(entry.value.text.trim().to_owned())),
            [section, key, name] if key == ENVIRONMENT => {
                let last = self.assignments(section, name).pop()?;
                last.value.split_once('=').map(|(_, value)| Zeroizing::new(value.to_owned()))
            }
            _ => None,
        }
    }

    /// What the unit does with the environment of its service.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.section == "Service") {
            let value = entry.value.text.trim();
            match entry.key.as_str() {
                ENVIRONMENT if value.is_empty() => steps.push(Step::Reset),
                ENVIRONMENT => steps.extend(entry.words().into_iter().filter_map(|word| {
                    let (name, _) = word.value.split_once('=')?;
                    is_name(name).then(|| Step::Set(name.to_owned()))
                })),
                "EnvironmentFile" if value.is_empty() => steps.push(Step::NoFiles),
                "EnvironmentFile" => steps.push(Step::File {
                    path: value.strip_prefix('-').unwrap_or(value).to_owned(),
                    optional: value.starts_with('-'),
                }),
                "UnsetEnvironment" if value.is_empty() => steps.push(Step::NoUnset),
                "UnsetEnvironment" => steps.extend(entry.words().into_iter().map(|word| {
                    match word.value.split_once('=') {
                        Some((name, value)) => {
                            Step::Unset(name.to_owned(), Some(Zeroizing::new(value.to_owned())))
                        }
                        None => Step::Unset(word.value.to_string(), None),
                    }
                })),
                _ => {}
            }
        }
        steps
    }

    /// The text with a variable set to a value, or without it.
    ///
    /// # Errors
    ///
    /// Where the pointer is no variable, or the unit has no such section to put it in.
    pub(crate) fn set(
        &self,
        pointer: &Pointer,
        value: Option<&str>,
    ) -> Result<Zeroizing<String>, Broken> {
        let [section, key, name] = pointer.steps() else {
            return Err(Broken::new("only a variable of `Environment=` can be changed in a unit"));
        };
        if key != ENVIRONMENT {
            return Err(Broken::new("only a variable of `Environment=` can be changed in a unit"));
        }
        let cuts = match value {
            None => self.without(section, name),
            Some(value) => vec![self.with(section, name, value)?],
        };
        let new = spliced(self.text, cuts);
        self.verify(&new, pointer, value)?;
        Ok(new)
    }

    fn of(&self, section: &str, key: &str) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.section == section && entry.key == key)
    }

    fn assignments(&self, section: &str, name: &str) -> Vec<Word> {
        self.of(section, ENVIRONMENT)
            .flat_map(Entry::words)
            .filter(|word| word.value.split_once('=').is_some_and(|(of, _)| of == name))
            .collect()
    }

    /// What to cut so that nothing sets the variable.
    fn without(&self, section: &str, name: &str) -> Vec<(Range<usize>, Zeroizing<String>)> {
        let is_it = |word: &Word| word.value.split_once('=').is_some_and(|(of, _)| of == name);
        let mut cuts = Vec::new();
        for entry in self.of(section, ENVIRONMENT) {
            let words = entry.words();
            if !words.is_empty() && words.iter().all(is_it) {
                cuts.extend(entry.lines.iter().cloned());
                continue;
            }
            for (index, word) in words.iter().enumerate().filter(|(_, word)| is_it(word)) {
                let next = words.get(index + 1).map(|next| word.at.start..next.at.start);
                let previous = index.checked_sub(1).and_then(|previous| words.get(previous));
                let wide = next.or_else(|| previous.map(|previous| previous.at.end..word.at.end));
                // A comment between continued lines is not ours to take away.
                let wide = wide.filter(|wide| !self.has_comment(wide));
                cuts.push(wide.unwrap_or_else(|| word.at.clone()));
            }
        }
        cuts.sort_by_key(|cut| cut.start);
        // Two of them may share the space between two words.
        let mut end = 0;
        cuts.into_iter()
            .map(|cut| {
                let cut = cut.start.max(end)..cut.end;
                end = cut.end;
                (cut, Zeroizing::default())
            })
            .collect()
    }

    fn has_comment(&self, range: &Range<usize>) -> bool {
        let text = self.text.get(range.clone()).unwrap_or_default();
        text.lines().skip(1).any(|line| is_comment(line.trim_start()))
    }

    /// What to put where so that the variable has the value.
    fn with(
        &self,
        section: &str,
        name: &str,
        value: &str,
    ) -> Result<(Range<usize>, Zeroizing<String>), Broken> {
        let word = quoted(name, value)?;
        if let Some(last) = self.assignments(section, name).pop() {
            return Ok((last.at, word));
        }
        let line_end = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let after = self
            .of(section, ENVIRONMENT)
            .next_back()
            .or_else(|| self.entries.iter().rfind(|entry| entry.section == section))
            .and_then(|entry| entry.lines.last())
            .ok_or_else(|| Broken::new("the unit has no such section with anything in it"))?;
        let ends = self.text.get(..after.end).is_some_and(|text| text.ends_with('\n'));
        let (before, behind) = if ends { ("", line_end) } else { (line_end, "") };
        let line = Zeroizing::new([before, ENVIRONMENT, "=", word.as_str(), behind].concat());
        Ok((after.end..after.end, line))
    }

    /// Checks that the new text says what was asked, and the same as before everywhere else.
    fn verify(&self, new: &str, pointer: &Pointer, asked: Option<&str>) -> Result<(), Broken> {
        let more = || Broken::new("the edited text would not say the same everywhere else");
        let new = Unit::parse(new).map_err(|_| more())?;
        let name = pointer.steps().last().map_or("", String::as_str);
        let found = new.find(pointer);
        let wanted = asked.map(escape_specifiers);
        if found.as_deref().map(String::as_str) != wanted.as_deref().map(String::as_str) {
            return Err(more());
        }
        let others = |unit: &Unit<'_>| -> Vec<(String, String, Zeroizing<String>)> {
            let mut all = Vec::new();
            for entry in &unit.entries {
                let place = |value: &str| {
                    let value = Zeroizing::new(value.to_owned());
                    (entry.section.clone(), entry.key.clone(), value)
                };
                if entry.key == ENVIRONMENT && !entry.value.text.trim().is_empty() {
                    let words = entry.words();
                    let other =
                        |word: &&Word| word.value.split_once('=').is_none_or(|(of, _)| of != name);
                    all.extend(words.iter().filter(other).map(|word| place(&word.value)));
                } else {
                    all.push(place(entry.value.text.trim()));
                }
            }
            all
        };
        if others(self) == others(&new) { Ok(()) } else { Err(more()) }
    }
}

impl Entry {
    /// The words of the value. systemd drops the rest of a line at the first word that it cannot
    /// read.
    fn words(&self) -> Vec<Word> {
        let text = self.value.text.as_str();
        let mut words = Vec::new();
        let mut rest = 0;
        while let Some(start) = text.get(rest..).and_then(|tail| {
            tail.find(|c: char| !c.is_ascii_whitespace()).map(|skipped| rest + skipped)
        }) {
            let Some((value, end)) = word(text, start) else { break };
            let at = self.value.at(start)..self.value.at(end.saturating_sub(1)) + 1;
            words.push(Word { value, at });
            rest = end;
        }
        words
    }
}

impl Logical {
    /// Adds a line; whether the next one continues it. The backslash is read as a space.
    fn append(&mut self, text: &str, line: &Range<usize>) -> bool {
        let content = text.get(line.clone()).unwrap_or_default();
        // systemd counts: an escaped backslash at the end continues nothing.
        let backslashes = content.len() - content.trim_end_matches('\\').len();
        let continues = backslashes % 2 == 1;
        let kept = if continues { content.len() - 1 } else { content.len() };
        self.text.push_str(content.get(..kept).unwrap_or_default());
        self.offsets.extend(line.start..line.start + kept);
        if continues {
            self.text.push(' ');
            self.offsets.push(line.start + kept);
        }
        continues
    }

    /// What comes after a byte.
    fn after(mut self, start: usize) -> Self {
        let text = Zeroizing::new(self.text.get(start..).unwrap_or_default().to_owned());
        self.offsets.drain(..start.min(self.offsets.len()));
        Self { text, offsets: std::mem::take(&mut self.offsets) }
    }

    /// Where a byte stands in the unit's text.
    fn at(&self, index: usize) -> usize {
        self.offsets.get(index).copied().unwrap_or_default()
    }
}

struct Line {
    /// Without its end.
    content: Range<usize>,
    /// With it.
    whole: Range<usize>,
}

fn physical_lines(text: &str) -> Vec<Line> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let whole = start..start + line.len();
            let content =
                line.strip_suffix('\n').map_or(line, |l| l.strip_suffix('\r').unwrap_or(l));
            let content = start..start + content.len();
            start = whole.end;
            Line { content, whole }
        })
        .collect()
}

fn is_comment(line: &str) -> bool {
    line.starts_with(['#', ';'])
}

/// Whether systemd takes this for the name of a variable.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The text with each range replaced; the ranges are in order and apart.
fn spliced(text: &str, cuts: Vec<(Range<usize>, Zeroizing<String>)>) -> Zeroizing<String> {
    let room = text.len() + cuts.iter().map(|(_, new)| new.len()).sum::<usize>();
    let mut new = Zeroizing::new(String::with_capacity(room));
    let mut from = 0;
    for (cut, put) in cuts {
        new.push_str(text.get(from..cut.start).unwrap_or_default());
        new.push_str(&put);
        from = cut.end;
    }
    new.push_str(text.get(from..).unwrap_or_default());
    new
}

#[cfg(test)]
mod tests;
