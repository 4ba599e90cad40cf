//! The contract itself: what is locked stays as it is to the byte, every item of it says what it is, and
//! its reference is made of it.

mod page;

use std::{collections::BTreeSet, fs, path::Path};

use precedent::{artifact::digest_of, decide::contracts};
use wit_parser::{Resolve, TypeDefKind};

use crate::support::root;

/// A line of `wit/frozen`.
struct Listed {
    version: String,
    file: String,
    digest: String,
}

fn listed(root: &Path) -> Vec<Listed> {
    let text = fs::read_to_string(root.join("wit/frozen")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let read = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [version, file, digest] = words[..] else { panic!("wit/frozen: `{line}`") };
        Listed { version: version.into(), file: file.into(), digest: digest.into() }
    };
    lines.map(read).collect()
}

/// What is wrong with the contracts below a folder.
fn faults(root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let listed = listed(root);
    for Listed { version, file, digest } in &listed {
        let bytes = fs::read(root.join(file)).unwrap_or_default();
        let is_draft = version.contains('-');
        if is_draft != (digest == "draft") {
            faults.push(format!("{version}: only what is called a draft may change"));
        } else if !is_draft && digest_of(&bytes) != *digest {
            faults.push(format!(
                "{file} changed, and {version} is locked: a change is a new version beside it"
            ));
        }
        if bytes.contains(&b'\r') || !bytes.ends_with(b"}\n") {
            faults.push(format!("{file}: lines end with a line feed alone"));
        }
        let package = format!("\npackage precedent:policy@{version};\n");
        if !String::from_utf8_lossy(&bytes).contains(&package) {
            faults.push(format!("{file} is not {version}"));
        }
    }
    let versions: BTreeSet<&str> = listed.iter().map(|one| &*one.version).collect();
    let served: BTreeSet<&str> = contracts().collect();
    if versions != served || versions.len() != listed.len() {
        faults.push(format!("wit/frozen lists {versions:?}, and {served:?} are served"));
    }
    let files: BTreeSet<String> = listed.into_iter().map(|one| one.file).collect();
    for folder in fs::read_dir(root.join("wit")).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&folder).into_iter().flatten() {
            let path = file.unwrap().path();
            let file = path.strip_prefix(root).unwrap().display().to_string();
            if !files.contains(&file) {
                faults.push(format!("wit/frozen does not list {file}"));
            }
        }
    }
    faults
}

#[test]
fn what_is_locked_is_what_it_was_and_what_is_served_is_listed() {
    let faults = faults(&root());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let attributes = fs::read_to_string(root().join(".gitattributes")).unwrap();
    assert!(attributes.contains("\n/wit/** -text\n"), "a checkout may change line ends");
}

/// The lock can fail: each of these changes of a copy is seen.
#[test]
fn a_change_of_a_byte_is_seen() {
    type Change = fn(&str) -> String;
    let changes: [(&str, Change, &str); 9] = [
        ("wit/v1/policy.wit", |text| text.replacen("Short name", "Short Name", 1), "is locked"),
        ("wit/v1/policy.wit", |text| format!("{text}\n"), "is locked"),
        ("wit/v1/policy.wit", |text| text.replace('\n', "\r\n"), "a line feed alone"),
        ("wit/v1/policy.wit", |text| text.replace("@1.0.0", "@1.0.1"), "is not 1.0.0"),
        ("wit/v1/more.wit", |_| "package a:b;\n".to_owned(), "does not list wit/v1/more.wit"),
        ("wit/v2/policy.wit", |_| "package a:b;\n".to_owned(), "does not list wit/v2/policy.wit"),
        ("wit/frozen", |text| text.replace("0.1.0 ", "0.1.9 "), "are served"),
        ("wit/frozen", |text| text.replacen("sha256:", "sha256:0", 1), "is locked"),
        ("wit/frozen", |text| text.replace(" draft\n", " sha256:0\n"), "only what is called"),
    ];
    let draft_may_change: Change = |text| text.replacen("Short name", "Short Name", 1);
    let is_silent = ("wit/draft/policy.wit", draft_may_change, "");
    for (file, change, says) in changes.into_iter().chain([is_silent]) {
        let copy = tempfile::tempdir().unwrap();
        for known in
            ["wit/frozen", "wit/v0/policy.wit", "wit/v1/policy.wit", "wit/draft/policy.wit"]
        {
            fs::create_dir_all(copy.path().join(known).parent().unwrap()).unwrap();
            fs::copy(root().join(known), copy.path().join(known)).unwrap();
        }
        assert_eq!(faults(copy.path()), Vec::<String>::new());
        let path = copy.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = fs::read_to_string(&path).unwrap_or_default();
        let changed = change(&text);
        assert_ne!(changed, text, "{file} does not change");
        fs::write(&path, changed).unwrap();
        let faults = faults(copy.path());
        let seen = faults.iter().any(|fault| fault.contains(says));
        assert_eq!(seen, !says.is_empty(), "{file}, not `{says}`: {faults:?}");
    }
}

/// The contract is what people write against: every item of it says what it is.
#[test]
fn every_item_of_the_contract_is_documented() {
    for Listed { file, .. } in listed(&root()) {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let mut before = "";
        for line in text.lines().map(str::trim) {
            let item = line.ends_with([',', '{', ';']) && !line.starts_with("///");
            let linking = line.starts_with("package ") || line.starts_with("export ");
            let is_documented = !item || linking || before.starts_with("///");
            assert!(is_documented, "{file}: no documentation before `{line}`");
            before = line;
        }
    }
}

/// Names of all cases of the variants and enumerations of a contract, but for those of some types.
pub(crate) fn cases_of(folder: &Path, except: &[&str]) -> BTreeSet<String> {
    let mut resolve = Resolve::default();
    resolve.push_path(folder).unwrap();
    let mut names = BTreeSet::new();
    for (_, known) in &resolve.types {
        if known.name.as_deref().is_some_and(|name| except.contains(&name)) {
            continue;
        }
        match &known.kind {
            TypeDefKind::Variant(variant) => {
                names.extend(variant.cases.iter().map(|case| case.name.clone()));
            }
            TypeDefKind::Enum(all) => names.extend(all.cases.iter().map(|case| case.name.clone())),
            _ => {}
        }
    }
    names
}
