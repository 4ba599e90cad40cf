//! Where everything stands in a property list in XML, and edits that leave the rest as it is.

use std::{collections::HashSet, ops::Range};

use quick_xml::{
    Reader,
    escape::resolve_xml_entity,
    events::{BytesStart, Event},
};
use zeroize::Zeroizing;

use super::{Broken, DEEPEST, twice};

/// An XML text and where its values stand.
pub(super) struct Xml<'t> {
    pub(super) text: &'t str,
    pub(super) root: Element,
}

/// An element that is a value.
pub(super) struct Element {
    holds: Holds,
    /// From `<` to the last `>`.
    span: Range<usize>,
    /// Between the two tags; None where there is but one.
    inner: Option<Range<usize>>,
}

enum Holds {
    Dictionary(Vec<Entry>),
    Array(Vec<Element>),
    Other,
}

pub(super) struct Entry {
    name: String,
    key: Range<usize>,
    value: Element,
}

impl Element {
    pub(super) fn entries(&self) -> &[Entry] {
        if let Holds::Dictionary(entries) = &self.holds { entries } else { &[] }
    }
}

/// How new entries are laid out.
#[derive(Clone, Copy)]
pub(super) struct Layout<'t> {
    line_end: &'t str,
    /// One step of indentation.
    unit: &'t str,
    /// Whether a value stands on the line after its key; else what is between the two.
    between: Option<&'t str>,
}

impl<'t> Xml<'t> {
    pub(super) fn edited(
        &self,
        path: &[&str],
        value: Option<&str>,
    ) -> Result<Zeroizing<String>, Broken> {
        let mut parent = &self.root;
        let mut steps = path;
        while let Some((step, rest)) = steps.split_first() {
            match (parent.entries().iter().find(|entry| entry.name == *step), value) {
                (Some(entry), _) if !rest.is_empty() => parent = &entry.value,
                (Some(entry), Some(value)) => return Ok(self.replaced(&entry.value, value)),
                (Some(entry), None) => return Ok(self.without(entry)),
                (None, Some(value)) => return Ok(self.inserted(parent, steps, value)),
                (None, None) => break,
            }
            steps = rest;
        }
        Err(Broken::new("the edited property list would not say the same everywhere else"))
    }

    pub(super) fn spliced(&self, cut: Range<usize>, new: &[&str]) -> Zeroizing<String> {
        let before = self.text.get(..cut.start).unwrap_or_default();
        let after = self.text.get(cut.end..).unwrap_or_default();
        Zeroizing::new([&[before], new, &[after]].concat().concat())
    }

    pub(super) fn replaced(&self, old: &Element, value: &str) -> Zeroizing<String> {
        let value = escaped(value);
        match &old.inner {
            Some(inner) => self.spliced(inner.clone(), &[&value]),
            None => self.spliced(old.span.clone(), &["<string>", &value, "</string>"]),
        }
    }

    /// With its lines, where nothing else stands on them.
    pub(super) fn without(&self, entry: &Entry) -> Zeroizing<String> {
        let end = entry.value.span.end;
        let after = self.text.get(end..).unwrap_or_default();
        let next = after.trim_start_matches(is_blank);
        let line_end = line_end(next);
        let own_line = self.own_indent(entry.key.start);
        let cut = match own_line {
            Some(indent) if !line_end.is_empty() && next.starts_with(line_end) => {
                let blanks = after.len() - next.len();
                entry.key.start - indent.len()..end + blanks + line_end.len()
            }
            Some(_) => entry.key.start..end + (after.len() - next.len()),
            // What stood before it on the line stays next to what stood behind it.
            None => entry.key.start - self.blanks_before(entry.key.start).len()..end,
        };
        self.spliced(cut, &[])
    }

    /// With the missing part of a path at the end of a dictionary.
    pub(super) fn inserted(
        &self,
        parent: &Element,
        steps: &[&str],
        value: &str,
    ) -> Zeroizing<String> {
        let line_end = line_end(self.text);
        let unit = self.unit(&self.root).unwrap_or("\t");
        let outer = self.indent_of(parent.span.start);
        let last = parent.entries().last();
        let between = last
            .and_then(|last| self.text.get(last.key.end..last.value.span.start))
            .filter(|between| between.chars().all(char::is_whitespace))
            .filter(|between| !between.contains(['\n', '\r']));
        let layout = Layout { line_end, unit, between };
        let closing = parent.inner.as_ref().map_or(parent.span.end, |inner| inner.end);
        let closing_indent = self.own_indent(closing).filter(|_| parent.inner.is_some());
        let indent = match last {
            Some(last) => self.own_indent(last.key.start).map(str::to_owned),
            None if line_end.is_empty() => None,
            None => Some([outer, unit].concat()),
        };
        match (indent, closing_indent) {
            // Before the line of the end tag.
            (Some(indent), Some(of_tag)) => {
                let entry = layout.entry(steps, value, Some(&indent));
                let at = closing - of_tag.len();
                self.spliced(at..at, &[&indent, &entry, line_end])
            }
            // The end tag is on the line of the last entry.
            (Some(indent), None) if last.is_some() => {
                let entry = layout.entry(steps, value, Some(&indent));
                self.spliced(closing..closing, &[line_end, &indent, &entry])
            }
            (indent, _) => {
                let entry = layout.entry(steps, value, indent.as_deref());
                let tag = self.text.get(parent.span.clone()).unwrap_or_default();
                let tag = tag.trim_end_matches('>').trim_end_matches('/').trim_end();
                let mut around: Vec<&str> = match &indent {
                    Some(indent) => vec![line_end, indent, &entry, line_end, outer],
                    None => vec![&entry],
                };
                match (last, &parent.inner) {
                    (Some(last), _) => {
                        let end = last.value.span.end;
                        self.spliced(end..end, &[self.blanks_before(last.key.start), &entry])
                    }
                    (None, Some(_)) => self.spliced(closing..closing, &around),
                    (None, None) => {
                        around.splice(0..0, [tag, ">"]);
                        around.push("</dict>");
                        self.spliced(parent.span.clone(), &around)
                    }
                }
            }
        }
    }

    /// The step of indentation, as the first dictionary on lines of its own shows it.
    pub(super) fn unit(&self, element: &Element) -> Option<&'t str> {
        match &element.holds {
            Holds::Other => None,
            Holds::Array(items) => items.iter().find_map(|item| self.unit(item)),
            Holds::Dictionary(entries) => {
                let outer = self.indent_of(element.span.start);
                let own = entries.iter().find_map(|entry| {
                    let unit = self.own_indent(entry.key.start)?.strip_prefix(outer)?;
                    (!unit.is_empty()).then_some(unit)
                });
                own.or_else(|| entries.iter().find_map(|entry| self.unit(&entry.value)))
            }
        }
    }

    /// The line up to an offset.
    pub(super) fn line_before(&self, at: usize) -> &'t str {
        let before = self.text.get(..at).unwrap_or_default();
        before.rsplit(['\n', '\r']).next().unwrap_or_default()
    }

    /// The indentation before an offset, where it is the first thing on its line.
    pub(super) fn own_indent(&self, at: usize) -> Option<&'t str> {
        Some(self.line_before(at)).filter(|line| line.chars().all(is_blank))
    }

    /// The indentation of the line of an offset.
    pub(super) fn indent_of(&self, at: usize) -> &'t str {
        let line = self.line_before(at);
        let length = line.len() - line.trim_start_matches(is_blank).len();
        line.get(..length).unwrap_or_default()
    }

    pub(super) fn blanks_before(&self, at: usize) -> &'t str {
        let line = self.line_before(at);
        line.get(line.trim_end_matches(is_blank).len()..).unwrap_or_default()
    }
}

impl Layout<'_> {
    /// The entry for the first of the steps, in which those for the others are.
    pub(super) fn entry(
        &self,
        steps: &[&str],
        value: &str,
        indent: Option<&str>,
    ) -> Zeroizing<String> {
        let Some((step, rest)) = steps.split_first() else { return Zeroizing::default() };
        let new_line = indent.map(|indent| [self.line_end, indent].concat());
        let between = self.between.or(new_line.as_deref()).unwrap_or_default();
        let key = escaped(step);
        let mut parts = vec!["<key>", &key, "</key>", between];
        let inner = indent.map(|indent| [indent, self.unit].concat());
        let content = if rest.is_empty() {
            escaped(value)
        } else {
            self.entry(rest, value, inner.as_deref())
        };
        if rest.is_empty() {
            parts.extend(["<string>", &content, "</string>"]);
        } else if let (Some(inner), Some(outer)) = (&inner, &new_line) {
            parts.extend(["<dict>", self.line_end, inner, &content, outer, "</dict>"]);
        } else {
            parts.extend(["<dict>", &content, "</dict>"]);
        }
        Zeroizing::new(parts.concat())
    }
}

/// Reads XML, strictly.
pub(super) struct Scanner<'t> {
    text: &'t str,
    reader: Reader<&'t [u8]>,
}

impl<'t> Scanner<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, reader: Reader::from_str(text) }
    }

    pub(super) fn position(&self) -> usize {
        // A text in memory is no longer than that.
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The next event, and where it stands.
    pub(super) fn any(&mut self) -> Result<(Range<usize>, Event<'t>), Broken> {
        let start = self.position();
        match self.reader.read_event() {
            Ok(event) => Ok((start..self.position(), event)),
            Err(quick_xml::Error::Syntax(_)) => Err(Self::ended(start)),
            // Its own words quote the text.
            Err(_) => Err(Broken::at(start, "the XML is not well-formed here")),
        }
    }

    pub(super) fn ended(at: usize) -> Broken {
        Broken::at(at, "the file ends before the property list does")
    }

    /// The next event that is neither space nor a comment.
    pub(super) fn next(&mut self) -> Result<(Range<usize>, Event<'t>), Broken> {
        loop {
            let (span, event) = self.any()?;
            match &event {
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(_) | Event::GeneralRef(_) | Event::CData(_) => {
                    let text = self.text.get(span.clone()).unwrap_or_default();
                    if !text.chars().all(char::is_whitespace) {
                        return Err(Broken::at(span.start, "text stands where an element should"));
                    }
                }
                _ => return Ok((span, event)),
            }
        }
    }

    pub(super) fn document(&mut self) -> Result<Element, Broken> {
        let root = loop {
            let (span, event) = self.next()?;
            match event {
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().and_then(Result::ok);
                    let known = encoding.is_none_or(|encoding| {
                        ["utf-8", "utf8", "us-ascii"]
                            .iter()
                            .any(|known| encoding.eq_ignore_ascii_case(known))
                    });
                    if !known {
                        return Err(Broken::at(span.start, "only UTF-8 is read"));
                    }
                }
                Event::DocType(_) => {
                    let text = self.text.get(span.clone()).unwrap_or_default();
                    if text.contains('[') {
                        return Err(Broken::at(
                            span.start,
                            "a document type with declarations of its own is not read",
                        ));
                    }
                }
                Event::Start(tag) if tag.name().as_ref() == "plist" => {
                    let (span, event) = self.next()?;
                    let root = self.value(span, &event, 0)?;
                    match self.next()? {
                        (_, Event::End(_)) => break root,
                        (span, Event::Eof) => return Err(Self::ended(span.start)),
                        (span, _) => {
                            return Err(Broken::at(span.start, "a second value stands here"));
                        }
                    }
                }
                event => break self.value(span, &event, 0)?,
            }
        };
        match self.next()? {
            (_, Event::Eof) => Ok(root),
            (span, _) => Err(Broken::at(span.start, "the file goes on after the property list")),
        }
    }

    /// The value that starts with this event.
    pub(super) fn value(
        &mut self,
        span: Range<usize>,
        event: &Event<'t>,
        depth: usize,
    ) -> Result<Element, Broken> {
        if depth > DEEPEST {
            return Err(Broken::at(span.start, "the property list is nested too deeply"));
        }
        let (tag, empty) = match event {
            Event::Start(tag) => (tag, false),
            Event::Empty(tag) => (tag, true),
            Event::Eof => return Err(Self::ended(span.start)),
            _ => return Err(Broken::at(span.start, "a value is missing here")),
        };
        let holds = match (tag.name().as_ref(), empty) {
            ("dict", true) => Holds::Dictionary(Vec::new()),
            ("dict", false) => Holds::Dictionary(self.entries(depth)?),
            ("array", true) => Holds::Array(Vec::new()),
            ("array", false) => Holds::Array(self.items(depth)?),
            ("string" | "data", true) => Holds::Other,
            ("true" | "false", _) | ("string" | "data" | "date" | "integer" | "real", false) => {
                if !empty {
                    self.content()?;
                }
                Holds::Other
            }
            _ => return Err(Broken::at(span.start, "this element is none of a property list")),
        };
        let end = self.position();
        let last_tag = self.text.get(..end).and_then(|text| text.rfind('<')).unwrap_or(end);
        let inner = (!empty).then_some(span.end..last_tag);
        Ok(Element { holds, span: span.start..end, inner })
    }

    pub(super) fn items(&mut self, depth: usize) -> Result<Vec<Element>, Broken> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (_, Event::End(_)) => return Ok(items),
                (span, event) => items.push(self.value(span, &event, depth + 1)?),
            }
        }
    }

    pub(super) fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Broken> {
        let is_key = |tag: &BytesStart<'_>| tag.name().as_ref() == "key";
        let mut entries = Vec::new();
        let mut names = HashSet::new();
        loop {
            let (start, event) = self.next()?;
            let name = match &event {
                Event::End(_) => return Ok(entries),
                Event::Start(tag) if is_key(tag) => self.content()?.to_string(),
                Event::Empty(tag) if is_key(tag) => String::new(),
                Event::Eof => return Err(Self::ended(start.start)),
                _ => return Err(Broken::at(start.start, "a key is missing here")),
            };
            let key = start.start..self.position();
            let (span, event) = self.next()?;
            let value = self.value(span, &event, depth + 1)?;
            if !names.insert(name.clone()) {
                return Err(twice(&name, Some(start.start)));
            }
            entries.push(Entry { name, key, value });
        }
    }

    /// The text up to the end of the element.
    pub(super) fn content(&mut self) -> Result<Zeroizing<String>, Broken> {
        // Nothing in it says more than it is long, so that it does not grow and leave copies.
        let rest = self.text.get(self.position()..).unwrap_or_default();
        let length = rest.find('<').unwrap_or(rest.len());
        let mut content = Zeroizing::new(String::with_capacity(length));
        loop {
            let (span, event) = self.any()?;
            let broken = |message| Err(Broken::at(span.start, message));
            match event {
                Event::Text(text) => content.push_str(text.as_ref()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                    Ok(Some(c)) => content.push(c),
                    Ok(None) => match resolve_xml_entity(reference.as_ref()) {
                        Some(entity) => content.push_str(entity),
                        None => return broken("this entity is not known"),
                    },
                    Err(_) => return broken("this character reference cannot be read"),
                },
                Event::End(_) => return Ok(content),
                Event::Eof => return Err(Self::ended(span.start)),
                Event::CData(_) => return broken("a CDATA section is not read"),
                _ => return broken("only text may stand in this element"),
            }
        }
    }
}

pub(super) fn escaped(text: &str) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(5 * text.len()));
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // As it is, it would be read as a line feed.
            '\r' => escaped.push_str("&#13;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// What XML 1.0 lets a text have.
pub(super) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// The line end of a text: that of its first line, and nothing where it is all on one.
pub(super) fn line_end(text: &str) -> &'static str {
    match text.find(['\n', '\r']).and_then(|at| text.get(at..)) {
        Some(rest) if rest.starts_with("\r\n") => "\r\n",
        Some(rest) if rest.starts_with('\r') => "\r",
        Some(_) => "\n",
        None => "",
    }
}
