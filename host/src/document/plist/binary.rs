//! What a binary property list says, looked at before it is trusted to the library.

use std::collections::HashMap;

use super::{Broken, DEEPEST, MOST_VALUES, twice};

/// Checks of a binary list what the crate does not: how much it says, and its keys.
pub(super) struct Binary<'b> {
    bytes: &'b [u8],
    offset_size: usize,
    reference_size: usize,
    objects: usize,
    table: usize,
    /// What is known of an object: how many values it has and how deep; None while being looked at.
    known: HashMap<usize, Option<(u64, usize)>>,
}

impl<'b> Binary<'b> {
    pub(super) fn check(bytes: &'b [u8]) -> Result<(), Broken> {
        if !bytes.starts_with(b"bplist00") {
            return Err(Broken::new("this version of the binary form is not read"));
        }
        let whole = Self::of(bytes).and_then(|(mut list, root)| list.walk(root, 0).transpose());
        whole
            .unwrap_or_else(|| Err(Broken::new("the binary property list is broken or cut off")))?;
        Ok(())
    }

    /// None where there is no trailer.
    pub(super) fn of(bytes: &'b [u8]) -> Option<(Self, usize)> {
        let trailer = bytes.len().checked_sub(32).filter(|trailer| *trailer >= 8)?;
        let size = |at| number(bytes, trailer + at, 1);
        let long = |at| number(bytes, trailer + at, 8);
        let list = Self {
            bytes,
            offset_size: size(6)?,
            reference_size: size(7)?,
            objects: long(8)?,
            table: long(24)?,
            known: HashMap::new(),
        };
        Some((list, long(16)?))
    }

    /// How many values an object has, and how deep it is. None where it is not all there.
    pub(super) fn walk(
        &mut self,
        object: usize,
        depth: usize,
    ) -> Result<Option<(u64, usize)>, Broken> {
        let nested = || Broken::new("the property list is nested too deeply");
        match self.known.get(&object) {
            Some(Some((values, height))) if depth + height <= DEEPEST => {
                return Ok(Some((*values, *height)));
            }
            Some(_) => return Err(nested()),
            None if depth > DEEPEST => return Err(nested()),
            None => {}
        }
        self.known.insert(object, None);
        let Some((children, keys)) = self.children(object) else { return Ok(None) };
        let mut names = Vec::new();
        for key in children.iter().take(keys) {
            let Some(name) = self.string(*key) else {
                return Err(Broken::new("a key is no string"));
            };
            names.push(name);
        }
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[one, next]| one == next) {
            return Err(twice(name, None));
        }
        let mut values: u64 = 1;
        let mut height = 0;
        for child in children {
            let Some(below) = self.walk(child, depth + 1)? else { return Ok(None) };
            values = values.saturating_add(below.0);
            height = height.max(below.1 + 1);
        }
        if values > MOST_VALUES {
            return Err(Broken::new("the property list says too much"));
        }
        self.known.insert(object, Some((values, height)));
        Ok(Some((values, height)))
    }

    /// The objects in an object, of which the first are keys, and how many of them are.
    pub(super) fn children(&self, object: usize) -> Option<(Vec<usize>, usize)> {
        let (kind, low, at) = self.marker(object)?;
        if !matches!(kind, 0xa | 0xd) {
            return Some((Vec::new(), 0));
        }
        let (length, at) = self.length(low, at)?;
        let (count, keys) =
            if kind == 0xd { (length.checked_mul(2)?, length) } else { (length, 0) };
        if count > self.bytes.len() {
            return None;
        }
        let child = |index: usize| {
            number(self.bytes, at.checked_add(index * self.reference_size)?, self.reference_size)
        };
        Some(((0..count).map(child).collect::<Option<_>>()?, keys))
    }

    pub(super) fn string(&self, object: usize) -> Option<String> {
        let (kind, low, at) = self.marker(object)?;
        let (length, at) = self.length(low, at)?;
        let bytes = |length: usize| self.bytes.get(at..at.checked_add(length)?);
        match kind {
            0x5 => String::from_utf8(bytes(length)?.to_vec()).ok(),
            0x6 => {
                let units = bytes(length.checked_mul(2)?)?.as_chunks().0;
                let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
                String::from_utf16(&units).ok()
            }
            _ => None,
        }
    }

    /// The two halves of an object's first byte, and where it goes on.
    pub(super) fn marker(&self, object: usize) -> Option<(u8, u8, usize)> {
        if object >= self.objects {
            return None;
        }
        let entry = self.table.checked_add(object.checked_mul(self.offset_size)?)?;
        let at = number(self.bytes, entry, self.offset_size)?;
        let marker = self.bytes.get(at)?;
        Some((marker >> 4, marker & 0xf, at + 1))
    }

    pub(super) fn length(&self, low: u8, at: usize) -> Option<(usize, usize)> {
        if low != 0xf {
            return Some((low.into(), at));
        }
        let size = 1_usize << (self.bytes.get(at)? & 0x3);
        Some((number(self.bytes, at + 1, size)?, at + 1 + size))
    }
}

/// A number of so many bytes, the highest first.
pub(super) fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(size)?).filter(|_| (1..=8).contains(&size))?;
    let add = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
    usize::try_from(bytes.iter().fold(0, add)).ok()
}
