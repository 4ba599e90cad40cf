//! Words of `Environment=`: split as systemd splits them, and written so that it reads them back.

use zeroize::Zeroizing;

use super::{super::Broken, specifiers::escape_specifiers};

/// A word that begins at a byte, without quotes and escapes, and where it ends; none where systemd
/// cannot read it.
pub(super) fn word(text: &str, start: usize) -> Option<(Zeroizing<String>, usize)> {
    let mut value = Zeroizing::new(Vec::new());
    let mut quote: Option<char> = None;
    let mut chars = text.get(start..)?.char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        match (c, quote) {
            (c, None) if c.is_ascii_whitespace() => {
                return Some((utf8(value)?, start + offset));
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', _) => unescape(&mut chars, &mut value)?,
            (c, _) => push(&mut value, c),
        }
    }
    quote.is_none().then_some(())?;
    Some((utf8(value)?, text.len()))
}

fn push(value: &mut Vec<u8>, c: char) {
    value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn utf8(bytes: Zeroizing<Vec<u8>>) -> Option<Zeroizing<String>> {
    std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
}

/// The escapes of C, as systemd.syntax(7) lists them.
fn unescape(
    chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
    value: &mut Vec<u8>,
) -> Option<()> {
    let byte = |code: u32| u8::try_from(code).ok().filter(|byte| *byte != 0);
    let c = chars.next()?.1;
    let simple = match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '"' => b'"',
        '\'' => b'\'',
        's' => b' ',
        'x' => {
            value.push(byte(number(chars, 2, 16, 0)?)?);
            return Some(());
        }
        'u' => {
            push(value, char::from_u32(number(chars, 4, 16, 0)?).filter(|c| *c != '\0')?);
            return Some(());
        }
        'U' => {
            push(value, char::from_u32(number(chars, 8, 16, 0)?).filter(|c| *c != '\0')?);
            return Some(());
        }
        '0'..='7' => {
            value.push(byte(number(chars, 2, 8, c.to_digit(8)?)?)?);
            return Some(());
        }
        _ => return None,
    };
    value.push(simple);
    Some(())
}

/// So many digits, after a first one.
fn number(
    chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
    count: usize,
    radix: u32,
    first: u32,
) -> Option<u32> {
    (0..count).try_fold(first, |sum, _| {
        let digit = chars.next()?.1.to_digit(radix)?;
        sum.checked_mul(radix)?.checked_add(digit)
    })
}

/// `NAME=value` as one word of `Environment=`.
pub(super) fn quoted(name: &str, value: &str) -> Result<Zeroizing<String>, Broken> {
    if value.contains(['\0', '\u{7f}']) {
        return Err(Broken::new("the value holds a character that no variable can have"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "%_./:+=@,~^-".contains(c);
    let value = escape_specifiers(value);
    if value.chars().all(plain) {
        return Ok(Zeroizing::new([name, "=", value.as_str()].concat()));
    }
    let mut word = Zeroizing::new(format!("\"{name}="));
    for c in value.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            '\n' => word.push_str("\\n"),
            '\r' => word.push_str("\\r"),
            '\t' => word.push_str("\\t"),
            c if c.is_control() => {
                return Err(Broken::new("the value holds a control character"));
            }
            c => word.push(c),
        }
    }
    word.push('"');
    Ok(word)
}
