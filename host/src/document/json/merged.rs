//! What stands at a pointer of a document that may go on in other files.
//!
//! An object with the include key holds what the named files hold, later ones over earlier ones, and
//! its own keys over all of them; objects are put together key by key.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

use jsonc_parser::ast::{Object, Value};

use super::tree::{Tree, type_of};
use crate::model::Pointer;

/// One file of a document.
pub(crate) struct Part<'t> {
    /// What it says.
    pub(crate) tree: Tree<'t>,
    /// The files that it names, as it writes them, and which part each is.
    pub(crate) includes: HashMap<String, usize>,
}

/// What stands at a pointer.
pub(crate) enum Found<'d, 't> {
    Nothing,
    Text(&'d str),
    /// A number, or `true` or `false`, as it is written.
    Scalar(String),
    Object(&'d Object<'t>),
    /// Another type than can be used, at this part of the pointer.
    Unusable {
        at: String,
        is: &'static str,
    },
}

/// What stands at a pointer, and where: in which part, and at which pointer of it.
pub(crate) struct Sighting<'d, 't> {
    pub(crate) found: Found<'d, 't>,
    pub(crate) part: usize,
    pub(crate) pointer: Pointer,
    /// How many steps of the pointer there are objects for.
    reach: usize,
}

/// Looks into the first part, and from there wherever it goes on. Where nothing stands, the place
/// is in the part that comes nearest, where it could be made.
pub(crate) fn find<'d, 't>(
    parts: &'d [Part<'t>],
    include_key: Option<&str>,
    pointer: &Pointer,
) -> Sighting<'d, 't> {
    let search = Search { parts, include_key, pointer, empty: RefCell::default() };
    match parts.first() {
        Some(first) => search.within(0, first.tree.root(), 0, 0),
        None => search.nothing(0, 0, 0),
    }
}

/// The files that an object, or one in it, names under the include key.
///
/// # Errors
///
/// Where something else than texts stands there.
pub(crate) fn includes(tree: &Tree<'_>, key: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    collect(tree.root(), key, &mut names)?;
    Ok(names)
}

fn collect(object: &Object<'_>, key: &str, names: &mut Vec<String>) -> Result<(), String> {
    names.extend(named_in(object, key).ok_or_else(|| {
        format!("`{key}` is neither the name of a file nor a list of such names")
    })?);
    object.properties.iter().try_for_each(|property| values(&property.value, key, names))
}

fn values(value: &Value<'_>, key: &str, names: &mut Vec<String>) -> Result<(), String> {
    match value {
        Value::Object(object) => collect(object, key, names),
        Value::Array(array) => array.elements.iter().try_for_each(|one| values(one, key, names)),
        _ => Ok(()),
    }
}

/// The files that an object names, in order; none where it says something else.
fn named_in(object: &Object<'_>, key: &str) -> Option<Vec<String>> {
    let Some(property) = object.properties.iter().find(|p| p.name.as_str() == key) else {
        return Some(Vec::new());
    };
    let text = |value: &Value<'_>| match value {
        Value::StringLit(text) => Some(text.value.to_string()),
        _ => None,
    };
    match &property.value {
        Value::Array(array) => array.elements.iter().map(text).collect(),
        value => Some(vec![text(value)?]),
    }
}

struct Search<'s, 'd, 't> {
    parts: &'d [Part<'t>],
    include_key: Option<&'s str>,
    pointer: &'s Pointer,
    /// The parts in which nothing was found from a step on: many ways may lead to one part.
    empty: RefCell<HashSet<(usize, usize)>>,
}

impl<'d, 't> Search<'_, 'd, 't> {
    /// Looks into an object of a part that stands where the pointer's first `depth` steps lead,
    /// which are the part's own from step `base` on.
    fn within(
        &self,
        part: usize,
        object: &'d Object<'t>,
        depth: usize,
        base: usize,
    ) -> Sighting<'d, 't> {
        let own = self.own(part, object, depth, base);
        if !matches!(own.found, Found::Nothing) {
            return own;
        }
        let named = self.include_key.and_then(|key| named_in(object, key)).unwrap_or_default();
        let includes = self.parts.get(part).map(|part| &part.includes);
        let mut nearest = own;
        for name in named.iter().rev() {
            let Some(index) = includes.and_then(|includes| includes.get(name)) else { continue };
            let Some(other) = self.parts.get(*index) else { continue };
            if self.empty.borrow().contains(&(*index, depth)) {
                continue;
            }
            let there = self.within(*index, other.tree.root(), depth, depth);
            if !matches!(there.found, Found::Nothing) {
                return there;
            }
            self.empty.borrow_mut().insert((*index, depth));
            if there.reach > nearest.reach {
                nearest = there;
            }
        }
        nearest
    }

    fn own(
        &self,
        part: usize,
        object: &'d Object<'t>,
        depth: usize,
        base: usize,
    ) -> Sighting<'d, 't> {
        let steps = self.pointer.steps();
        let step = steps.get(depth).map_or("", String::as_str);
        let last = depth + 1 >= steps.len();
        let Some(property) = object.properties.iter().find(|p| p.name.as_str() == step) else {
            return self.nothing(part, depth, base);
        };
        let found = match &property.value {
            Value::Object(inner) if !last => return self.within(part, inner, depth + 1, base),
            Value::Object(inner) => Found::Object(inner),
            Value::StringLit(text) if last => Found::Text(&text.value),
            Value::NumberLit(number) if last => Found::Scalar(number.value.to_owned()),
            Value::BooleanLit(boolean) if last => Found::Scalar(boolean.value.to_string()),
            other => Found::Unusable {
                at: steps.get(..=depth).unwrap_or_default().join("."),
                is: type_of(other),
            },
        };
        Sighting { found, part, pointer: self.pointer.after_step(base), reach: depth + 1 }
    }

    fn nothing(&self, part: usize, depth: usize, base: usize) -> Sighting<'d, 't> {
        let pointer = self.pointer.after_step(base);
        Sighting { found: Found::Nothing, part, pointer, reach: depth }
    }
}
