//! `docs/contract.md`, made of the newest contract that is locked.

use std::{fmt::Write as _, fs, path::Path};

use wit_parser::{Docs, Function, Interface, Resolve, Type, TypeDef, TypeDefKind, TypeId};

use super::listed;
use crate::support::root;

/// What the page says before the types, beside the contract's own words.
const READING: &str = "\
## How to read it

A policy is a WebAssembly component, in any language that makes one. It exports the functions below under
the name `precedent:policy/policy@VERSION`, and imports nothing. The types are those of
[WIT](https://component-model.bytecodealliance.org/design/wit.html), of which a generator for each
language makes the language's own:

| type | what |
|---|---|
| `bool`, `u32`, `u64` | a truth value, a whole number from 0 of 32 or 64 bits |
| `string` | text in Unicode, UTF-8 where it crosses |
| list of T, in WIT `list<T>` | any number of T, in order |
| option of T, in WIT `option<T>` | a T, or none |
| result of T, else E, in WIT `result<T, E>` | a T, or an E where it went wrong; `_` is nothing |
| record | named fields, all of them there |
| variant | one of its cases, which may hold a value |
| enum | one of its cases, which hold nothing |

A position counts from 0, in the snapshot that the policy was given.

";

fn written(root: &Path) -> String {
    let listed = listed(root);
    let newest = listed.iter().rfind(|one| one.digest != "draft").unwrap();
    let mut resolve = Resolve::default();
    let (id, _) = resolve.push_path(root.join(&newest.file).parent().unwrap()).unwrap();
    let package = &resolve.packages[id];
    let interface = &resolve.interfaces[package.interfaces["policy"]];
    let page = Page { resolve: &resolve, interface };
    let mut text = format!(
        "<!-- Made of {} by `UPDATE_CONTRACT=1 cargo test the_contract_page`. -->\n\n# The contract, `precedent:policy@{}`\n\n{}\n\n",
        newest.file,
        newest.version,
        paragraphs(&package.docs),
    );
    let _ = write!(
        text,
        "It is written down in [`{file}`](../{file}), and [what may change in it](contract-versions.md)\nis said elsewhere, as is [how to write a policy](writing-a-policy.md).\n\n",
        file = newest.file
    );
    text += &page.contents();
    text += READING;
    text += &format!("## Functions\n\n{}\n\n", paragraphs(&interface.docs));
    interface.functions.values().for_each(|function| text += &page.function(function));
    text += "## Types\n\n";
    interface.types.values().for_each(|id| text += &page.of_type(*id));
    format!("{}\n", text.trim_end())
}

struct Page<'r> {
    resolve: &'r Resolve,
    interface: &'r Interface,
}

impl Page<'_> {
    fn contents(&self) -> String {
        let list = |names: Vec<&String>| {
            names.iter().map(|name| format!("[`{name}`](#{name})")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "## Contents\n\n- [How to read it](#how-to-read-it)\n- [Functions](#functions): {}\n- [Types](#types): {}\n\n",
            list(self.interface.functions.keys().collect()),
            list(self.interface.types.keys().collect())
        )
    }

    fn function(&self, function: &Function) -> String {
        let params = function.params.iter().map(|p| format!("{}: {}", p.name, self.link(&p.ty)));
        let result = function.result.as_ref().map(|ty| format!(" → {}", self.link(ty)));
        format!(
            "### `{}`\n\n{}({}){}\n\n{}\n\n",
            function.name,
            function.name,
            params.collect::<Vec<_>>().join(", "),
            result.unwrap_or_default(),
            paragraphs(&function.docs)
        )
    }

    fn of_type(&self, id: TypeId) -> String {
        let known = &self.resolve.types[id];
        let name = known.name.as_deref().unwrap();
        let mut text = format!("### `{name}`\n\n{}. ", self.sort(known));
        let used = self.used_in(id);
        if !used.is_empty() {
            let _ = write!(text, "In {}.", used.join(", "));
        }
        text = format!("{}\n\n{}\n\n", text.trim_end(), paragraphs(&known.docs));
        let rows: Vec<(&str, String, &Docs)> = match &known.kind {
            TypeDefKind::Record(record) => {
                text += "| field | type | what |\n|---|---|---|\n";
                let fields = record.fields.iter();
                fields.map(|field| (&*field.name, self.link(&field.ty), &field.docs)).collect()
            }
            TypeDefKind::Variant(variant) => {
                text += "| case | holds | what |\n|---|---|---|\n";
                let holds = |ty: &Option<Type>| ty.as_ref().map(|ty| self.link(ty));
                let cases = variant.cases.iter();
                cases.map(|c| (&*c.name, holds(&c.ty).unwrap_or_default(), &c.docs)).collect()
            }
            TypeDefKind::Enum(all) => {
                text += "| case | what |\n|---|---|\n";
                for case in &all.cases {
                    let _ = writeln!(text, "| `{}` | {} |", case.name, cell(&case.docs));
                }
                return text + "\n";
            }
            _ => return text,
        };
        for (name, ty, docs) in rows {
            let _ = writeln!(text, "| `{name}` | {ty} | {} |", cell(docs));
        }
        text + "\n"
    }

    fn sort(&self, known: &TypeDef) -> String {
        match &known.kind {
            TypeDefKind::Record(_) => "A record".to_owned(),
            TypeDefKind::Variant(_) => "A variant".to_owned(),
            TypeDefKind::Enum(_) => "An enum".to_owned(),
            TypeDefKind::Type(ty) => format!("A {}", self.link(ty)),
            other => panic!("the page has no words for a {}", other.as_str()),
        }
    }

    /// The types and functions that speak of a type.
    fn used_in(&self, id: TypeId) -> Vec<String> {
        let names = |ty: &Type| self.names(ty, id);
        let types = self.interface.types.iter().filter(|(_, other)| {
            match &self.resolve.types[**other].kind {
                TypeDefKind::Record(record) => record.fields.iter().any(|field| names(&field.ty)),
                TypeDefKind::Variant(variant) => {
                    variant.cases.iter().filter_map(|case| case.ty.as_ref()).any(names)
                }
                _ => false,
            }
        });
        let functions = self.interface.functions.iter().filter(|(_, function)| {
            function.params.iter().map(|param| &param.ty).chain(&function.result).any(names)
        });
        let link = |name: &String| format!("[`{name}`](#{name})");
        types.map(|(name, _)| link(name)).chain(functions.map(|(name, _)| link(name))).collect()
    }

    /// Whether a type is another, or a list, an option or a result of it.
    fn names(&self, ty: &Type, wanted: TypeId) -> bool {
        let Type::Id(id) = ty else { return false };
        *id == wanted
            || match &self.resolve.types[*id].kind {
                TypeDefKind::Option(inner) | TypeDefKind::List(inner) => self.names(inner, wanted),
                TypeDefKind::Result(result) => {
                    result.ok.iter().chain(&result.err).any(|inner| self.names(inner, wanted))
                }
                _ => false,
            }
    }

    /// A type in the words of WIT, with links to what is said of it here.
    fn link(&self, ty: &Type) -> String {
        let Type::Id(id) = ty else { return format!("`{}`", format!("{ty:?}").to_lowercase()) };
        let known = &self.resolve.types[*id];
        if let Some(name) = &known.name {
            return format!("[`{name}`](#{name})");
        }
        let or_none = |ty: &Option<Type>| ty.as_ref().map_or("`_`".to_owned(), |ty| self.link(ty));
        match &known.kind {
            TypeDefKind::Option(inner) => format!("option of {}", self.link(inner)),
            TypeDefKind::List(inner) => format!("list of {}", self.link(inner)),
            TypeDefKind::Result(result) => {
                format!("result of {}, else {}", or_none(&result.ok), or_none(&result.err))
            }
            other => panic!("the page has no words for a {}", other.as_str()),
        }
    }
}

fn paragraphs(docs: &Docs) -> String {
    docs.contents.as_deref().unwrap_or_default().trim().to_owned()
}

fn cell(docs: &Docs) -> String {
    paragraphs(docs).replace('\n', " ").replace('|', "\\|")
}

#[test]
fn the_contract_page_is_made_of_the_contract() {
    let path = root().join("docs/contract.md");
    let written = written(&root());
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        fs::write(&path, &written).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == written,
        "docs/contract.md is not what the contract says: run this test with UPDATE_CONTRACT=1"
    );
}

/// Every item of the contract has its place on the page, and every link leads to one.
#[test]
fn the_contract_page_has_everything_and_its_links_lead_somewhere() {
    let page = written(&root());
    let headings: Vec<String> = page
        .lines()
        .filter_map(|line| line.split_once("# "))
        .map(|(_, heading)| heading.replace('`', "").to_lowercase().replace(' ', "-"))
        .collect();
    for link in page.split("](#").skip(1) {
        let to = link.split(')').next().unwrap().to_owned();
        assert!(headings.contains(&to), "no heading for #{to}");
    }
    for name in super::cases_of(&root().join("wit/v1"), &[]) {
        assert!(page.contains(&format!("| `{name}` | ")), "nothing on `{name}`");
    }
}
