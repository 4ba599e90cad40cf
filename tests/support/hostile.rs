//! The hostile guests of `tests/fixtures/hostile`: texts of core WebAssembly, each of which does one
//! thing wrong and says in its head what must come of it.

use std::{fs, path::Path};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::root;

/// One hostile guest.
pub(crate) struct Hostile {
    /// Name of the file.
    pub(crate) name: String,
    /// The exit code of `precedent apply`.
    pub(crate) exit: i32,
    /// What it prints, among other things.
    pub(crate) says: String,
    /// The component.
    pub(crate) component: Vec<u8>,
}

/// The version of the contract that the texts speak, and its folder.
const SPOKEN: (&str, &str) = ("0.1.0", "wit/v0");

/// All of the folder. Panics where one has no head, so that none is left out.
pub(crate) fn all() -> Vec<Hostile> {
    all_in(SPOKEN)
}

/// All of the folder, speaking another version of the contract: one whose records lie in memory as
/// those of the first do.
pub(crate) fn all_in(contract: (&str, &str)) -> Vec<Hostile> {
    let fixtures = root().join("tests/fixtures");
    let right = fs::read_to_string(fixtures.join("right.wat")).unwrap();
    let mut paths: Vec<_> = fs::read_dir(fixtures.join("hostile"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| read(path, &right, contract)).collect()
}

/// The policy of `right.wat`, which does nothing wrong.
pub(crate) fn right() -> Vec<u8> {
    let right = fs::read_to_string(root().join("tests/fixtures/right.wat")).unwrap();
    component("(module)", &right, SPOKEN)
}

fn read(path: &Path, right: &str, contract: (&str, &str)) -> Hostile {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.ends_with(".wat"), "{name} is no text of WebAssembly");
    let text = fs::read_to_string(path).unwrap();
    let head = |key: &str| {
        let mut lines = text.lines().take_while(|line| line.starts_with(";; "));
        let found = lines.find_map(|line| line.strip_prefix(&format!(";; {key}: ")));
        found.unwrap_or_else(|| panic!("{name} does not say `;; {key}: ` in its head")).trim()
    };
    let (exit, says) = (head("exit").parse().unwrap(), head("says").to_owned());
    assert!(!says.is_empty(), "{name} must say something");
    Hostile { exit, says, component: component(&text, right, contract), name }
}

/// A text that is a component is one as it is. To a module the pieces of the right policy are added
/// that it has not, and what the contract makes of it is a component.
fn component(text: &str, right: &str, (version, folder): (&str, &str)) -> Vec<u8> {
    let spoken = |text: &str| text.replace(&format!("@{}", SPOKEN.0), &format!("@{version}"));
    let (text, right) = (&*spoken(text), &*spoken(right));
    if text.contains("\n(component") {
        return wat::parse_str(text).unwrap();
    }
    let export = |piece: &str| {
        let (_, rest) = piece.split_once("(export \"")?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let missing = right
        .split("\n\n")
        .filter(|piece| export(piece).is_some_and(|name| !text.contains(&format!("\"{name}\""))));
    let body = text.trim_end().strip_suffix(')').unwrap();
    let module = format!("{body}\n{}\n)", missing.collect::<Vec<_>>().join("\n"));
    let mut module = wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));

    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(root().join(folder)).unwrap();
    let world = resolve.select_world(&[package], Some("token-policy")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    // Whether it is valid is the host's to find out.
    ComponentEncoder::default().validate(false).module(&module).unwrap().encode().unwrap()
}
