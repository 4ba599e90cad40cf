//! Variables in a file which systemd reads for `EnvironmentFile=`.
//!
//! Its rules differ from a shell's, and what is easily missed of them:
//!
//! - Quotes count only where a value starts, or right after another quote: `A=x"y"` keeps them.
//!   What follows a closing quote is part of the value, but for the space between.
//! - A carriage return ends a line as a line feed does. In quotes both are part of the value, but
//!   for one line feed after a backslash in double quotes.
//! - There is no `export`: such a line sets nothing. Neither does one with an invalid name.
//! - Until version 254, a backslash at the end of a comment let the comment go on in the next line.
//!   Both kinds of systemd are in use, so that what they do not agree on is not read here.

use std::{collections::BTreeMap, ops::Range};

use zeroize::Zeroizing;

use super::Broken;

/// The value of a variable as its readers read it; None where it is not set.
///
/// # Errors
///
/// Where systemd takes none of the file, and where its versions differ in the variable.
pub(crate) fn find(text: &str, name: &str) -> Result<Option<Zeroizing<String>>, Broken> {
    let [read, _] = read_as_all(text, name)?;
    Ok(read.last_of(name).map(|found| found.value.clone()))
}

/// The text with the variable set to a value, or without it. Everything else stays byte for byte.
///
/// # Errors
///
/// Where the text is not read, where the name or the value cannot be written, and where the text
/// would say something else of another variable.
pub(crate) fn set(
    text: &str,
    name: &str,
    value: Option<&str>,
) -> Result<Zeroizing<String>, Broken> {
    let before = read_as_all(text, name)?;
    let [read, _] = &before;
    let found = read.last_of(name);
    if found.map(|found| found.value.as_str()) == value {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    let tries = match (value, found) {
        (None, _) => vec![without(text, &read.assignments, name)],
        (Some(value), _) if !is_name(name) || value.contains(|c| c == '\0' || is_refused(c)) => {
            return Err(Broken::new(format!(
                "`{name}` cannot be set in this file: its name or its value cannot be written"
            )));
        }
        (Some(value), Some(found)) => vec![replaced(text, found, value)],
        // A blank line ends a line that would else go on.
        (Some(value), None) => [false, true].map(|blank| appended(text, blank, name, value)).into(),
    };
    let holds = |edited: &Zeroizing<String>| {
        read_as_all(edited, name).is_ok_and(|after| {
            before.iter().zip(&after).all(|(before, after)| {
                after.last_of(name).map(|found| found.value.as_str()) == value
                    && before.others(name) == after.others(name)
            })
        })
    };
    tries
        .into_iter()
        .find(holds)
        .ok_or_else(|| Broken::new("the edited text would not say the same everywhere else"))
}

fn replaced(text: &str, old: &Assignment<'_>, value: &str) -> Zeroizing<String> {
    let before = text.get(..old.written.start).unwrap_or_default();
    let after = text.get(old.written.end..).unwrap_or_default();
    let written = text.get(old.written.clone()).unwrap_or_default();
    let edge = |c: char| c == '\'' || c == '"' || is_space(c);
    let value = match written.chars().next() {
        Some('\'') if !value.contains('\'') => Zeroizing::new(["'", value, "'"].concat()),
        Some('\'' | '"') => in_double_quotes(value),
        // What can stand without quotes is more than what is put so: spaces inside, for one.
        Some(_)
            if !value.is_empty()
                && !value.starts_with(edge)
                && !value.ends_with(edge)
                && !value.contains(['\n', '\r', '\\']) =>
        {
            Zeroizing::new(value.to_owned())
        }
        _ => as_needed(value),
    };
    Zeroizing::new([before, &value, after].concat())
}

fn appended(text: &str, blank_line: bool, name: &str, value: &str) -> Zeroizing<String> {
    let end = line_end(text);
    let first = if text.is_empty() || text.ends_with(is_line_end) { "" } else { end };
    let second = if blank_line { end } else { "" };
    Zeroizing::new([text, first, second, name, "=", &as_needed(value), end].concat())
}

fn without(text: &str, read: &[Assignment<'_>], name: &str) -> Zeroizing<String> {
    let mut rest = Zeroizing::new(String::with_capacity(text.len()));
    let mut at = 0;
    for gone in read.iter().filter(|assignment| assignment.name == name) {
        rest.push_str(text.get(at..gone.lines.start).unwrap_or_default());
        at = gone.lines.end;
    }
    rest.push_str(text.get(at..).unwrap_or_default());
    rest
}

fn as_needed(value: &str) -> Zeroizing<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=~".contains(c);
    if value.chars().all(plain) {
        Zeroizing::new(value.to_owned())
    } else {
        in_double_quotes(value)
    }
}

fn in_double_quotes(value: &str) -> Zeroizing<String> {
    // Room enough, so that no copy of the value is left where the text grew.
    let mut quoted = Zeroizing::new(String::with_capacity(2 * value.len() + 2));
    quoted.push('"');
    for c in value.chars() {
        if is_escaped_in_quotes(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// How a comment ends which has a backslash before its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comments {
    /// There, since version 254.
    End,
    GoOn,
}

/// The two readings of a text, which are to agree on one variable.
fn read_as_all<'t>(text: &'t str, name: &str) -> Result<[Read<'t>; 2], Broken> {
    let readings = [read(text, Comments::End)?, read(text, Comments::GoOn)?];
    let [new, old] = &readings;
    let value = |read| Read::last_of(read, name).map(|found| found.value.as_str());
    if value(new) == value(old) {
        Ok(readings)
    } else {
        Err(Broken {
            message: format!(
                "a comment ends in a backslash, and versions of systemd differ in whether `{name}` \
                 after it is set"
            ),
            offset: new.escaped_comment,
        })
    }
}

/// What was read.
#[derive(Default)]
struct Read<'t> {
    assignments: Vec<Assignment<'t>>,
    /// The first line end in a comment that has a backslash before it.
    escaped_comment: Option<usize>,
}

impl<'t> Read<'t> {
    fn last_of(&self, name: &str) -> Option<&Assignment<'t>> {
        // One with an invalid name is read, but sets nothing.
        self.assignments.iter().rfind(|found| found.name == name && is_name(name))
    }

    /// What every variable but one is set to.
    fn others(&self, name: &str) -> BTreeMap<&str, &str> {
        let others = self.assignments.iter().filter(|assignment| assignment.name != name);
        others.map(|assignment| (assignment.name, assignment.value.as_str())).collect()
    }
}

/// An assignment, with offsets into the text.
struct Assignment<'t> {
    name: &'t str,
    value: Zeroizing<String>,
    /// The value as it is written, without the spaces around it.
    written: Range<usize>,
    /// The lines on which it stands.
    lines: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    BeforeName,
    Name,
    /// Where a quote opens one: at the start of a value, and after a closing one.
    BeforeValue,
    Value,
    Escaped,
    InSingle,
    InDouble,
    EscapedInDouble,
    Comment,
    EscapedInComment,
}

fn read(text: &str, comments: Comments) -> Result<Read<'_>, Broken> {
    if let Some(at) = text.find('\0') {
        return Err(Broken::at(at, "systemd takes no file with a null byte in it"));
    }
    let mut read = Read::default();
    let mut current = Current::default();
    let mut state = State::BeforeName;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        state = match state {
            State::BeforeName if matches!(c, '#' | ';') => State::Comment,
            State::BeforeName if is_space(c) => state,
            State::BeforeName => {
                current.name = at;
                State::Name
            }
            State::Name if is_line_end(c) => State::BeforeName,
            State::Name if c == '=' => {
                current.start_value(next);
                State::BeforeValue
            }
            State::Name => state,
            State::BeforeValue | State::Value if is_line_end(c) => {
                read.assignments.push(current.take(text, Some(at))?);
                State::BeforeName
            }
            State::BeforeValue if is_space(c) => state,
            State::BeforeValue if c == '\'' => {
                current.extend(at, next);
                State::InSingle
            }
            State::BeforeValue if c == '"' => {
                current.extend(at, next);
                State::InDouble
            }
            State::BeforeValue | State::Value if c == '\\' => {
                current.extend(at, next);
                // A space before it is inside the value now.
                current.kept = current.value.len();
                State::Escaped
            }
            State::BeforeValue | State::Value => {
                current.push(c);
                if !is_space(c) {
                    current.extend(at, next);
                    current.kept = current.value.len();
                }
                State::Value
            }
            State::Escaped => {
                if !is_line_end(c) {
                    current.push(c);
                }
                // Also an escaped space stays.
                current.kept = current.value.len();
                current.extend(at, next);
                State::Value
            }
            State::InSingle | State::InDouble => {
                current.extend(at, next);
                match (state, c) {
                    (State::InSingle, '\'') | (State::InDouble, '"') => State::BeforeValue,
                    (State::InDouble, '\\') => State::EscapedInDouble,
                    _ => {
                        current.push(c);
                        current.kept = current.value.len();
                        state
                    }
                }
            }
            State::EscapedInDouble => {
                if c != '\n' {
                    if !is_escaped_in_quotes(c) {
                        current.push('\\');
                    }
                    current.push(c);
                }
                current.kept = current.value.len();
                current.extend(at, next);
                State::InDouble
            }
            State::Comment if c == '\\' => State::EscapedInComment,
            State::Comment if is_line_end(c) => State::BeforeName,
            State::Comment => state,
            State::EscapedInComment if is_line_end(c) => {
                read.escaped_comment.get_or_insert(at);
                if comments == Comments::End { State::BeforeName } else { State::Comment }
            }
            State::EscapedInComment => State::Comment,
        };
    }
    if !matches!(state, State::BeforeName | State::Name | State::Comment | State::EscapedInComment)
    {
        read.assignments.push(current.take(text, None)?);
    }
    Ok(read)
}

/// The assignment that is being read.
#[derive(Default)]
struct Current {
    name: usize,
    name_end: usize,
    value: Zeroizing<String>,
    /// How much of the value is no space that is to go if the value ends after it.
    kept: usize,
    written: Range<usize>,
}

impl Current {
    fn start_value(&mut self, at: usize) {
        self.name_end = at - 1;
        self.value = Zeroizing::default();
        self.kept = 0;
        self.written = at..at;
    }

    /// Adds to the value without leaving a copy of it where it grows.
    fn push(&mut self, c: char) {
        if self.value.capacity() - self.value.len() < c.len_utf8() {
            let mut wider = Zeroizing::new(String::with_capacity(2 * self.value.len() + 64));
            wider.push_str(&self.value);
            self.value = wider;
        }
        self.value.push(c);
    }

    fn extend(&mut self, at: usize, next: usize) {
        if self.written.is_empty() {
            self.written = at..next;
        }
        self.written.end = next;
    }

    /// The assignment, whose line ends here, or with the text.
    fn take<'t>(
        &mut self,
        text: &'t str,
        line_end: Option<usize>,
    ) -> Result<Assignment<'t>, Broken> {
        let mut value = std::mem::take(&mut self.value);
        value.truncate(self.kept);
        let name = text.get(self.name..self.name_end).unwrap_or_default();
        let name = name.trim_end_matches(is_space);
        if name.contains(is_refused) || value.contains(is_refused) {
            return Err(Broken::at(
                self.name,
                "systemd takes no file with such a character in it as stands in this assignment",
            ));
        }
        let before = text.get(..self.name).unwrap_or_default();
        let start = before.rfind(is_line_end).map_or(0, |at| at + 1);
        let end = line_end.map_or(text.len(), |at| {
            let rest = text.get(at..).unwrap_or_default();
            at + if rest.starts_with("\r\n") { 2 } else { 1 }
        });
        Ok(Assignment { name, value, written: self.written.clone(), lines: start..end })
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

fn is_escaped_in_quotes(c: char) -> bool {
    matches!(c, '"' | '\\' | '`' | '$')
}

/// What systemd takes for no character: it refuses the whole file for one.
fn is_refused(c: char) -> bool {
    let number = u32::from(c);
    (0xfdd0..=0xfdef).contains(&number) || number & 0xfffe == 0xfffe
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The line end of a text: that of its first line.
fn line_end(text: &str) -> &'static str {
    match text.find(is_line_end).and_then(|at| text.get(at..)) {
        Some(rest) if rest.starts_with("\r\n") => "\r\n",
        Some(rest) if rest.starts_with('\r') => "\r",
        _ => "\n",
    }
}

#[cfg(test)]
mod tests;
