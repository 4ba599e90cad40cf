//! Variables in a `.env` file, as the npm package `dotenv` (17.4) reads it.
//!
//! The package reads with one regular expression, so that its rules are those of a backtracking
//! match. What follows from them, and is easily missed:
//!
//! - A name may be followed by spaces and `=`, or at once by `:` and at least one space. Spaces are
//!   line ends too: `A:` takes the next line as its value, and `A=` does where that is quoted.
//! - A quoted value ends at the first quote without a backslash before it, if only a comment
//!   follows; else at the last escaped one after which this is so. Where there is none, the value
//!   is the text up to the first `#` or line end, and loses its outer quotes only if it ends in one.
//! - Only `\n` and `\r` in double quotes are escapes; the backslash in `\"` stays.
//! - The last assignment of a name wins. No line is an error.

use std::{collections::BTreeMap, ops::Range};

use zeroize::Zeroizing;

use super::Broken;

/// The value of a variable as its readers read it; None where it is not set.
///
/// # Errors
///
/// None: the package reads any text.
pub(crate) fn find(text: &str, name: &str) -> Result<Option<Zeroizing<String>>, Broken> {
    // The package assigns it to an object, where this name sets nothing.
    if name == PROTOTYPE {
        return Ok(None);
    }
    let source = Source::of(text);
    Ok(last_of(&assignments(&source.text), name).map(|found| found.value.clone()))
}

/// The text with the variable set to a value, or without it. Everything else stays byte for byte.
///
/// # Errors
///
/// Where the name or the value cannot be written, and where the text would say something else of
/// another variable.
pub(crate) fn set(
    text: &str,
    name: &str,
    value: Option<&str>,
) -> Result<Zeroizing<String>, Broken> {
    let source = Source::of(text);
    let read = assignments(&source.text);
    let found = last_of(&read, name);
    if found.map(|found| found.value.as_str()) == value {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    let edits = Edits { text, source: &source, read: &read, name, value };
    match (value, found) {
        (None, _) => edits.first_that_holds([edits.without()].into_iter()),
        (Some(value), _) if !is_name(name) || value.contains('\0') => Err(Broken::new(format!(
            "`{name}` cannot be set in this file: its name or its value cannot be written"
        ))),
        (Some(value), Some(found)) => {
            let styles = styles(Some(found.written_in(&source.text)), value);
            edits.first_that_holds(styles.iter().map(|style| edits.replaced(found, *style, value)))
        }
        (Some(value), None) => {
            // A blank line ends what a name before it would take for its value.
            let styles = styles(None, value);
            let tries = [false, true].into_iter().flat_map(|blank| {
                styles.iter().map(move |style| edits.appended(blank, *style, value))
            });
            edits.first_that_holds(tries)
        }
    }
}

const PROTOTYPE: &str = "__proto__";
const QUOTES: [char; 3] = ['\'', '"', '`'];

/// An edit to be made, and the readings before it.
#[derive(Clone, Copy)]
struct Edits<'e> {
    text: &'e str,
    source: &'e Source,
    read: &'e [Assignment<'e>],
    name: &'e str,
    value: Option<&'e str>,
}

impl Edits<'_> {
    /// The first of the texts which says what it is to say, and the same everywhere else.
    fn first_that_holds(
        &self,
        mut tries: impl Iterator<Item = Zeroizing<String>>,
    ) -> Result<Zeroizing<String>, Broken> {
        let others = others(self.read, self.name);
        let mut value_reads_back = false;
        tries
            .find(|text| {
                let source = Source::of(text);
                let read = assignments(&source.text);
                let value = last_of(&read, self.name).map(|found| found.value.as_str());
                let reads_back = value == self.value;
                value_reads_back |= reads_back;
                reads_back && self::others(&read, self.name) == others
            })
            .ok_or_else(|| {
                Broken::new(if value_reads_back {
                    "the edited text would not say the same everywhere else".to_owned()
                } else {
                    format!("no quoting in this file can carry the value of `{}`", self.name)
                })
            })
    }

    fn replaced(&self, old: &Assignment<'_>, style: Style, value: &str) -> Zeroizing<String> {
        let (range, padding) = match &old.written {
            // The line end after a colon: the value belongs before it.
            written if written.is_empty() && old.value_is_on_next_line(&self.source.text) => {
                (old.separated..old.separated, " ")
            }
            written => (written.clone(), ""),
        };
        let start = self.source.original(range.start);
        let end = self.source.original(range.end);
        let after = self.text.get(end..).unwrap_or_default();
        let value = written(style, value, line_end(self.text));
        let gap = if after.starts_with('#') { " " } else { "" };
        let before = self.text.get(..start).unwrap_or_default();
        Zeroizing::new([before, padding, &value, gap, after].concat())
    }

    fn appended(&self, blank_line: bool, style: Style, value: &str) -> Zeroizing<String> {
        let end = line_end(self.text);
        let has_end = self.text.is_empty() || self.text.ends_with(['\n', '\r']);
        let value = written(style, value, end);
        let first = if has_end { "" } else { end };
        let second = if blank_line { end } else { "" };
        Zeroizing::new([self.text, first, second, self.name, "=", &value, end].concat())
    }

    fn without(&self) -> Zeroizing<String> {
        let mut rest = Zeroizing::new(String::with_capacity(self.text.len()));
        let mut at = 0;
        for gone in self.read.iter().filter(|assignment| assignment.name == self.name) {
            let lines = gone.lines(&self.source.text);
            let start = self.source.original(lines.start);
            rest.push_str(self.text.get(at..start).unwrap_or_default());
            at = self.source.original(lines.end).max(at);
        }
        rest.push_str(self.text.get(at..).unwrap_or_default());
        rest
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Bare,
    /// As it is, between two of these.
    In(char),
    /// In double quotes, on one line.
    Escaped,
}

/// The ways in which a value may be written, the best first. What reads back is found out by
/// reading; what is no quoting to anyone but this package comes last.
fn styles(old: Option<&str>, value: &str) -> Vec<Style> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=~".contains(c);
    let mut styles = Vec::new();
    let mut add = |style: Style| {
        if !styles.contains(&style) {
            styles.push(style);
        }
    };
    let proper = |quote: char| !value.contains(quote) && !value.ends_with('\\');
    let has_line_ends = value.contains(['\n', '\r']);
    match old.and_then(|old| old.chars().next().map(|first| (old, first))) {
        Some((old, '"')) if has_line_ends && proper('"') && !old.contains('\n') => {
            add(Style::Escaped);
        }
        Some((_, quote)) if QUOTES.contains(&quote) && proper(quote) => add(Style::In(quote)),
        Some((_, first)) if !QUOTES.contains(&first) && !has_line_ends => add(Style::Bare),
        // A name without a value says nothing of how its value is to be written.
        _ => {}
    }
    if value.chars().all(plain) {
        add(Style::Bare);
    }
    if has_line_ends && proper('"') {
        add(Style::Escaped);
    }
    for quote in QUOTES.into_iter().filter(|quote| proper(*quote)) {
        add(Style::In(quote));
    }
    add(Style::Bare);
    for quote in QUOTES {
        add(Style::In(quote));
    }
    add(Style::Escaped);
    styles
}

fn written(style: Style, value: &str, line_end: &str) -> Zeroizing<String> {
    let raw = || replaced(value, "\n", line_end);
    match style {
        Style::Bare => raw(),
        Style::In(quote) => {
            let mut sign = [0; 4];
            let quote: &str = quote.encode_utf8(&mut sign);
            Zeroizing::new([quote, &raw(), quote].concat())
        }
        Style::Escaped => {
            let escaped = replaced(value, "\n", "\\n");
            let escaped = replaced(&escaped, "\r", "\\r");
            Zeroizing::new(["\"", &escaped, "\""].concat())
        }
    }
}

/// As `str::replace`, which would leave copies of a value where the text grew.
fn replaced(text: &str, old: &str, new: &str) -> Zeroizing<String> {
    Zeroizing::new(text.split(old).collect::<Vec<_>>().join(new))
}

/// The text in which the package looks for assignments: one without carriage returns.
struct Source {
    text: Zeroizing<String>,
    /// Where in it a line end stands which is two bytes in the original.
    shortened: Vec<usize>,
}

impl Source {
    fn of(original: &str) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(original.len()));
        let mut shortened = Vec::new();
        let mut rest = original;
        while let Some((line, after)) = rest.split_once('\r') {
            text.push_str(line);
            rest = after.strip_prefix('\n').map_or(after, |after| {
                shortened.push(text.len());
                after
            });
            text.push('\n');
        }
        text.push_str(rest);
        Self { text, shortened }
    }

    fn original(&self, offset: usize) -> usize {
        offset + self.shortened.partition_point(|line_end| *line_end < offset)
    }
}

/// An assignment, with offsets into the text in which it was found.
struct Assignment<'t> {
    name: &'t str,
    value: Zeroizing<String>,
    /// Where its `export` or its name starts.
    start: usize,
    /// Where the `=` or the `:` ends.
    separated: usize,
    /// The value as it is written, without the spaces around it.
    written: Range<usize>,
}

impl Assignment<'_> {
    fn written_in<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.written.clone()).unwrap_or_default()
    }

    fn value_is_on_next_line(&self, text: &str) -> bool {
        text.get(self.separated..self.written.start).is_some_and(|gap| gap.contains(is_line_end))
    }

    /// The lines on which it stands.
    fn lines(&self, text: &str) -> Range<usize> {
        let before = text.get(..self.start).unwrap_or_default();
        let start = match before.char_indices().rfind(|(_, c)| is_line_end(*c)) {
            Some((at, c)) => at + c.len_utf8(),
            None if before.starts_with(BOM) => BOM.len_utf8(),
            None => 0,
        };
        // Without a value, what it takes for space may be the next line.
        let last = if self.written.is_empty() { self.separated } else { self.written.end };
        let end = match from(text, last).char_indices().find(|(_, c)| is_line_end(*c)) {
            Some((at, c)) => last + at + c.len_utf8(),
            None => text.len(),
        };
        start..end
    }
}

fn last_of<'a, 't>(read: &'a [Assignment<'t>], name: &str) -> Option<&'a Assignment<'t>> {
    read.iter().rfind(|assignment| assignment.name == name)
}

/// What every variable but one is set to.
fn others<'a>(read: &'a [Assignment<'_>], name: &str) -> BTreeMap<&'a str, &'a str> {
    let others = read.iter().filter(|assignment| assignment.name != name);
    others.map(|assignment| (assignment.name, assignment.value.as_str())).collect()
}

fn assignments(text: &str) -> Vec<Assignment<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(line) = line_start(text, at) {
        // Every start of a line in this space comes to the same name, so that one try is enough.
        let start = skip_space(text, line);
        at = match assignment(text, start) {
            Some((assignment, end)) => {
                found.push(assignment);
                end
            }
            None => match from(text, start).chars().next() {
                Some(c) => start + c.len_utf8(),
                None => break,
            },
        };
    }
    found
}

/// The assignment that starts here, and where the match ends.
fn assignment(text: &str, start: usize) -> Option<(Assignment<'_>, usize)> {
    let exported = from(text, start).strip_prefix("export").and_then(|after| {
        let spaced = text.len() - after.len();
        let name = skip_space(text, spaced);
        (name > spaced).then_some(name)
    });
    exported
        .and_then(|name| assignment_of(text, start, name))
        // `export` is a name, too.
        .or_else(|| assignment_of(text, start, start))
}

fn assignment_of(text: &str, start: usize, name: usize) -> Option<(Assignment<'_>, usize)> {
    let rest = from(text, name);
    let length = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
    let name_end = name + length;
    let name = rest.get(..length).filter(|name| !name.is_empty())?;
    let sign = skip_space(text, name_end);
    let (separated, value_at) = if from(text, sign).starts_with('=') {
        (sign + 1, sign + 1)
    } else {
        let after = from(text, name_end).strip_prefix(':')?;
        let space = after.chars().next().filter(|c| is_space(*c))?;
        (name_end + 1, name_end + 1 + space.len_utf8())
    };
    let (value_end, end) = quoted(text, skip_space(text, value_at)).unwrap_or_else(|| {
        let rest = from(text, value_at);
        let value_end = value_at + rest.find(['#', '\n']).unwrap_or(rest.len());
        (value_end, tail(text, value_end).unwrap_or(value_end))
    });
    let group = text.get(value_at..value_end).unwrap_or_default();
    let value = group.trim_matches(is_space);
    let written = if value.is_empty() {
        value_at..value_at
    } else {
        let start = value_at + (group.len() - group.trim_start_matches(is_space).len());
        start..start + value.len()
    };
    Some((Assignment { name, value: meaning(value), start, separated, written }, end))
}

/// Where a quoted value that starts here ends, and the match with it.
fn quoted(text: &str, open: usize) -> Option<(usize, usize)> {
    let mut chars = from(text, open).char_indices().peekable();
    let (_, quote) = chars.next().filter(|(_, c)| QUOTES.contains(c))?;
    let mut escaped = Vec::new();
    let mut closing = None;
    while let Some((at, c)) = chars.next() {
        if c == quote {
            closing = Some(at);
            break;
        }
        if c == '\\'
            && let Some((at, _)) = chars.next_if(|(_, next)| *next == quote)
        {
            escaped.push(at);
        }
    }
    closing.into_iter().chain(escaped.into_iter().rev()).find_map(|at| {
        let end = open + at + 1;
        tail(text, end).map(|tail| (end, tail))
    })
}

/// Where a match ends whose value ends here: after spaces and a comment, at the end of a line. None
/// where there is something else.
fn tail(text: &str, value_end: usize) -> Option<usize> {
    let spaced = skip_space(text, value_end);
    let rest = from(text, spaced);
    if rest.is_empty() {
        Some(spaced)
    } else if rest.starts_with('#') {
        Some(spaced + rest.find(is_line_end).unwrap_or(rest.len()))
    } else {
        text.get(value_end..spaced)?.rfind(is_line_end).map(|at| value_end + at)
    }
}

/// What a written value says.
fn meaning(written: &str) -> Zeroizing<String> {
    let bare = without_quotes(written);
    if written.starts_with('"') {
        replaced(&replaced(&bare, "\\n", "\n"), "\\r", "\r")
    } else {
        bare
    }
}

/// Takes the quotes off: in every line that starts with one, up to the last line that ends in it.
fn without_quotes(written: &str) -> Zeroizing<String> {
    let mut bare = Zeroizing::new(String::with_capacity(written.len()));
    let mut at = 0;
    while let Some(start) = line_start(written, at) {
        bare.push_str(written.get(at..start).unwrap_or_default());
        at = start;
        let rest = from(written, start);
        let Some(first) = rest.chars().next() else { break };
        let inner = from(rest, first.len_utf8());
        let ends_line = |end: &usize| from(inner, *end + 1).chars().next().is_none_or(is_line_end);
        let close = if QUOTES.contains(&first) {
            inner.rmatch_indices(first).map(|(end, _)| end).find(ends_line)
        } else {
            None
        };
        if let Some(end) = close {
            bare.push_str(inner.get(..end).unwrap_or_default());
            at += 1 + end + 1;
        } else {
            bare.push(first);
            at += first.len_utf8();
        }
    }
    bare.push_str(from(written, at));
    bare
}

/// The first start of a line that is not before an offset.
fn line_start(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    if before.chars().next_back().is_none_or(is_line_end) {
        return Some(at);
    }
    let (end, c) = from(text, at).char_indices().find(|(_, c)| is_line_end(*c))?;
    Some(at + end + c.len_utf8())
}

fn from(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

fn skip_space(text: &str, at: usize) -> usize {
    text.len() - from(text, at).trim_start_matches(is_space).len()
}

const BOM: char = '\u{feff}';

/// What JavaScript takes for white space.
fn is_space(c: char) -> bool {
    c == BOM || (c.is_whitespace() && c != '\u{85}')
}

/// What ends a line in JavaScript, the carriage return aside.
fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\u{2028}' | '\u{2029}')
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name != PROTOTYPE && name.chars().all(is_name_char)
}

/// The line end of a text: that of its first line.
fn line_end(text: &str) -> &'static str {
    match text.find(['\n', '\r']).map(|at| from(text, at)) {
        Some(rest) if rest.starts_with("\r\n") => "\r\n",
        Some(rest) if rest.starts_with('\r') => "\r",
        _ => "\n",
    }
}

/// Everything that the text sets.
#[cfg(test)]
pub(crate) fn variables(text: &str) -> BTreeMap<String, String> {
    let source = Source::of(text);
    let read = assignments(&source.text);
    let set = others(&read, PROTOTYPE).into_iter();
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests;
