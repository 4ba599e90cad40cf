//! Strings in a property list as launchd has them, in XML or in the binary form.
//!
//! The `plist` crate reads the values. It is laxer than the system in places where a misreading
//! would be silent: it skips CDATA sections and unknown entities, takes the last of two equal keys,
//! does not miss an end tag, and takes a `<string>` for a `<key>`. So the XML is also read here,
//! more strictly, which tells where everything stands.

mod binary;
mod xml;

use std::io::Cursor;

use ::plist::{Dictionary, Value};
use zeroize::{Zeroize, Zeroizing};

use super::Broken;
use binary::Binary;
use xml::{Scanner, Xml, is_xml_char};

/// The string at the end of a path through dictionaries; None where there is none.
///
/// # Errors
///
/// Where the list cannot be read, and where another thing than a string stands at the path.
pub(crate) fn find(bytes: &[u8], path: &[&str]) -> Result<Option<Zeroizing<String>>, Broken> {
    string_at(&List::read(bytes)?.value.0, path)
}

/// The strings of the array at the end of a path through dictionaries; none where there is none.
///
/// # Errors
///
/// Where the list cannot be read, and where another thing than an array of strings stands at the
/// path.
pub(crate) fn strings(bytes: &[u8], path: &[&str]) -> Result<Vec<String>, Broken> {
    let list = List::read(bytes)?;
    let none = || Broken::new(format!("`{}` is no array of strings", path.join(".")));
    match value_at(&list.value.0, path)? {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_string().map(str::to_owned).ok_or_else(none)).collect()
        }
        Some(_) => Err(none()),
    }
}

/// The list with the string at a path set to a value, or without it. Of XML, everything else stays
/// byte for byte; of the binary form, value for value and in its order.
///
/// # Errors
///
/// Where the list cannot be read, where another thing than a string stands at the path, where the
/// value cannot be written, and where the list would say something else of another value.
pub(crate) fn set(
    bytes: &[u8],
    path: &[&str],
    value: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let List { value: mut wanted, xml } = List::read(bytes)?;
    if string_at(&wanted.0, path)?.as_ref().map(|old| old.as_str()) == value {
        return Ok(Zeroizing::new(bytes.to_vec()));
    }
    for text in path.iter().copied().chain(value) {
        if text.contains(|c| c == '\0' || (xml.is_some() && !is_xml_char(c))) {
            let path = path.join(".");
            return Err(Broken::new(format!(
                "a character in `{path}` or in its value cannot be written"
            )));
        }
    }
    apply(&mut wanted.0, path, value)?;
    let edited = match &xml {
        Some(xml) => {
            let edited = xml.edited(path, value)?;
            let (mark, _) = bytes.split_at(bytes.len() - xml.text.len());
            Zeroizing::new([mark, edited.as_bytes()].concat())
        }
        None => {
            // Room enough, so that no copy of a value is left where the bytes grew.
            let room = 2 * bytes.len() + 4 * value.map_or(0, str::len) + 1024;
            let mut edited = Zeroizing::new(Vec::with_capacity(room));
            wanted
                .0
                .to_writer_binary(&mut *edited)
                .map_err(|_| Broken::new("the property list cannot be written"))?;
            edited
        }
    };
    let same = List::read(&edited)
        .is_ok_and(|read| read.xml.is_some() == xml.is_some() && same(&read.value.0, &wanted.0));
    if same {
        Ok(edited)
    } else {
        Err(Broken::new("the edited property list would not say the same everywhere else"))
    }
}

/// More than any job has, and little enough for a recursive walk.
const DEEPEST: usize = 100;
/// In a binary list a part can stand in many places at once, and a small file say very much.
const MOST_VALUES: u64 = 1 << 20;

/// A value whose strings do not stay in memory.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Data(data) => data.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Dictionary(entries) => entries.values_mut().for_each(wipe),
        _ => {}
    }
}

/// What was read.
struct List<'b> {
    value: Wiped,
    /// None in the binary form.
    xml: Option<Xml<'b>>,
}

impl<'b> List<'b> {
    fn read(bytes: &'b [u8]) -> Result<Self, Broken> {
        let unread = |_| Broken::new("the property list is broken");
        if bytes.starts_with(b"bplist") {
            Binary::check(bytes)?;
            let value = Value::from_reader(Cursor::new(bytes)).map_err(unread)?;
            return Ok(Self { value: Wiped(value), xml: None });
        }
        let text = str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            Broken::at(at, "this is no property list in UTF-8, nor one in the binary form")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mark = bytes.len() - text.len();
        let start = text.trim_start();
        if start.is_empty() {
            return Err(Broken::new("the file is empty"));
        }
        if !start.starts_with('<') || is_old_data(start) {
            let old = start.starts_with(['{', '(', '"', '/', '<']);
            let message = if old {
                "this is a property list in the old text form, which is not read"
            } else {
                "this is no property list"
            };
            return Err(Broken::at(bytes.len() - start.len(), message));
        }
        let root = Scanner::of(text).document().map_err(|broken| Broken {
            offset: broken.offset.map(|offset| mark + offset),
            ..broken
        })?;
        let value = Value::from_reader_xml(text.as_bytes()).map_err(unread)?;
        Ok(Self { value: Wiped(value), xml: Some(Xml { text, root }) })
    }
}

/// Whether this is data in the old text form, which starts as XML does: `<0fbd77>`.
fn is_old_data(text: &str) -> bool {
    text.split_once('>').is_some_and(|(data, _)| {
        data.chars().skip(1).all(|c| c.is_ascii_hexdigit() || c.is_ascii_whitespace())
    })
}

fn value_at<'v>(root: &'v Value, path: &[&str]) -> Result<Option<&'v Value>, Broken> {
    let mut value = root;
    for (depth, step) in path.iter().enumerate() {
        let entries = value.as_dictionary().ok_or_else(|| no_dictionary(path, depth))?;
        match entries.get(step) {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

fn string_at(root: &Value, path: &[&str]) -> Result<Option<Zeroizing<String>>, Broken> {
    match value_at(root, path)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(Zeroizing::new(text.clone()))),
        Some(_) => Err(Broken::new(if path.is_empty() {
            "the property list is no string".to_owned()
        } else {
            format!("`{}` is no string", path.join("."))
        })),
    }
}

/// Whether two lists say the same in the same order.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Dictionary(one), Value::Dictionary(other)) => {
            let both = || one.iter().zip(other.iter());
            one.len() == other.len()
                && both()
                    .all(|((key, one), (other_key, other))| key == other_key && same(one, other))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        // What is no number equals itself here.
        (Value::Real(one), Value::Real(other)) => one.to_bits() == other.to_bits(),
        _ => one == other,
    }
}

fn no_dictionary(path: &[&str], depth: usize) -> Broken {
    Broken::new(match path.get(..depth) {
        None | Some([]) => "the property list is no dictionary".to_owned(),
        Some(parents) => format!("`{}` is no dictionary", parents.join(".")),
    })
}

fn apply(root: &mut Value, path: &[&str], value: Option<&str>) -> Result<(), Broken> {
    let Some((last, parents)) = path.split_last() else {
        return Err(Broken::new("the property list is no dictionary"));
    };
    let mut parent = root;
    for (depth, step) in parents.iter().enumerate() {
        let entries = parent.as_dictionary_mut().ok_or_else(|| no_dictionary(path, depth))?;
        if value.is_some() && !entries.contains_key(step) {
            entries.insert((*step).to_owned(), Value::Dictionary(Dictionary::new()));
        }
        let Some(next) = entries.get_mut(step) else { return Ok(()) };
        parent = next;
    }
    let entries = parent.as_dictionary_mut().ok_or_else(|| no_dictionary(path, parents.len()))?;
    match (entries.get_mut(last), value) {
        (Some(old), value) => {
            wipe(old);
            match value {
                Some(value) => *old = Value::String(value.to_owned()),
                // Its `remove` would move the last entry to this place.
                None => entries.retain(|key, _| key != last),
            }
        }
        (None, Some(value)) => {
            entries.insert((*last).to_owned(), Value::String(value.to_owned()));
        }
        (None, None) => {}
    }
    Ok(())
}

fn twice(name: &str, offset: Option<usize>) -> Broken {
    Broken { message: format!("the key `{name}` stands twice in one dictionary"), offset }
}

#[cfg(test)]
mod tests;
