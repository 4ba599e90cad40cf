//! Components that speak more than one version.

use std::fs;

use precedent::decide::{Engine, Limits, contracts};

use super::{answer, guests, load, path_of, snapshots};

/// A component, the version that it speaks, and the version that it is to be called.
type Part<'p> = (&'p [u8], &'p str, &'p str);

/// A component that holds two others, and exports what each of them does.
fn both(parts: &[Part<'_>; 2]) -> Vec<u8> {
    let section = |id: u8, content: Vec<u8>| [vec![id], leb(content.len()), content].concat();
    let name = |version: &str| {
        let name = format!("precedent:policy/policy@{version}").into_bytes();
        [leb(name.len()), name].concat()
    };
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for (component, ..) in parts {
        bytes.extend(section(4, component.to_vec()));
    }
    // Instances 0 and 1 of components 0 and 1, without arguments.
    bytes.extend(section(5, vec![2, 0, 0, 0, 0, 1, 0]));
    let (mut aliases, mut exports) = (vec![2], vec![2]);
    for (index, (_, speaks, called)) in (0..).zip(parts) {
        // Instances 2 and 3 are what these export.
        aliases.extend([vec![5, 0, index], name(speaks)].concat());
        exports.extend([vec![0], name(called), vec![5, 2 + index, 0]].concat());
    }
    bytes.extend(section(6, aliases));
    bytes.extend(section(11, exports));
    bytes
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

#[test]
fn of_two_versions_the_newest_is_asked() {
    let engine = Engine::new().unwrap();
    let read = |version: &str| fs::read(path_of(version)).unwrap();
    let (old, new) = (read("0.1.0"), read("1.0.0"));
    let old: Part<'_> = (&old, "0.1.0", "0.1.0");
    let next: Part<'_> = (&new, "1.0.0", "1.0.0");
    let unserved: Part<'_> = (&new, "1.0.0", "9.0.0");
    let newest = "1.0.0";
    assert!(contracts().any(|served| served == newest));
    for (pair, version) in
        [([old, next], newest), ([next, old], newest), ([unserved, old], "0.1.0")]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("both.wasm");
        fs::write(&path, both(&pair)).unwrap();
        let policy = load(&engine, &path, Limits::default());
        assert_eq!(policy.contract(), version);
        for (name, snapshot) in snapshots() {
            let golden = answer(&guests()[0].policy, &snapshot);
            assert_eq!(answer(&policy, &snapshot), golden, "{name}");
        }
    }
}
