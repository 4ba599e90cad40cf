//! What is read as the package reads it, and what an edit keeps.

use super::*;

type Outcome = Result<(), Broken>;

fn a(text: &str) -> Option<String> {
    variables(text).remove("A")
}

#[test]
fn values_are_read_as_the_package_reads_them() {
    let rows = [
        ("", None),
        ("A=x", Some("x")),
        ("A=x\nA=y\n", Some("y")),
        ("A=y\nA=\n", Some("")),
        ("A", None),
        ("A x", None),
        ("# A=x", None),
        ("  A = x  ", Some("x")),
        ("export A=x", Some("x")),
        ("export\tA=x", Some("x")),
        ("export\nA=x", Some("x")),
        ("exportA=x", None),
        ("export export A=x", None),
        ("A: x", Some("x")),
        ("A:x", None),
        ("A : x", None),
        ("A:\nB=x", Some("B=x")),
        ("A=\nB=x", Some("")),
        ("A=\n'x'", Some("x")),
        ("A=x # c", Some("x")),
        ("A=x#c", Some("x")),
        ("A=# c", Some("")),
        ("A='x # y' # c", Some("x # y")),
        ("A=x y", Some("x y")),
        ("A=''", Some("")),
        ("A=\"x\\ny\\rz\\tw\"", Some("x\ny\rz\\tw")),
        ("A='x\\ny'", Some("x\\ny")),
        ("A=`x\\ny`", Some("x\\ny")),
        ("A=x\\ny", Some("x\\ny")),
        ("A=\"x\ny\"", Some("x\ny")),
        ("A='x\r\ny\rz'", Some("x\ny\nz")),
        ("A=\"x\\\"y\"", Some("x\\\"y")),
        ("A='x\\'y'", Some("x\\'y")),
        ("A='it's'", Some("it's")),
        ("A='x\\'", Some("x\\")),
        ("A=\"x", Some("\"x")),
        ("A=\"x\\n", Some("\"x\n")),
        ("A=\"x\nB=\"y\"", Some("\"x")),
        ("A='x' y", Some("'x' y")),
        ("A='x'y'", Some("x'y")),
        ("A=x'y'", Some("x'y'")),
        ("A='x # y", Some("'x")),
        ("B='x\nA=y\n'", None),
        ("\u{feff}A=x", Some("x")),
        ("A=\u{feff}x\u{a0}", Some("x")),
        ("A=\u{85}x", Some("\u{85}x")),
        ("B=1\rA=x\rC=2", Some("x")),
        ("B=1\u{2028}A=x", None),
        ("B='1'\u{2028}A=x", Some("x")),
        ("A=ключ 🦀", Some("ключ 🦀")),
        ("A==x", Some("=x")),
        ("A=\0x", Some("\0x")),
    ];
    for (text, value) in rows {
        assert_eq!(a(text).as_deref(), value, "{text:?}");
    }
}

#[test]
fn names_are_what_the_package_takes_for_them() -> Outcome {
    let rows = [
        ("a.b-c_1=x", "a.b-c_1", true),
        ("1=x", "1", true),
        ("-=x", "-", true),
        ("ä=x", "ä", false),
        ("A B=x", "B", false),
        ("A\n=x", "A", true),
        ("export=x", "export", true),
        ("export = x", "export", true),
        ("__proto__=x", "__proto__", false),
        ("constructor=x", "constructor", true),
        ("a=x", "A", false),
    ];
    for (text, name, is_set) in rows {
        let found = find(text, name)?;
        assert_eq!(found.as_ref().map(|value| value.as_str()), is_set.then_some("x"), "{text:?}");
    }
    Ok(())
}

#[test]
fn a_value_is_set_and_the_rest_stays() -> Outcome {
    let rows = [
        // (text, value, edited)
        ("", "v", "A=v\n"),
        ("B=1\n", "v", "B=1\nA=v\n"),
        ("B=1", "v", "B=1\nA=v\n"),
        ("B=1\r\n", "v", "B=1\r\nA=v\r\n"),
        ("B=1\r\nC=2", "v", "B=1\r\nC=2\r\nA=v\r\n"),
        ("B=1\r", "v", "B=1\rA=v\r"),
        ("# A=x\n", "v", "# A=x\nA=v\n"),
        ("B:\n", "v", "B:\n\nA=v\n"),
        ("B=1", "", "B=1\nA=\n"),
        ("B=1", "v w", "B=1\nA='v w'\n"),
        ("B=1", "v#w", "B=1\nA='v#w'\n"),
        ("B=1", "it's", "B=1\nA=\"it's\"\n"),
        ("B=1", "'\"", "B=1\nA=`'\"`\n"),
        ("B=1", "v\nw", "B=1\nA=\"v\\nw\"\n"),
        ("B=1", "v\r\nw", "B=1\nA=\"v\\r\\nw\"\n"),
        ("B=1", "\"v\"\nw", "B=1\nA='\"v\"\nw'\n"),
        ("B=1\r\n", "\"v\"\nw", "B=1\r\nA='\"v\"\r\nw'\r\n"),
        ("B=1", "v\\nw", "B=1\nA='v\\nw'\n"),
        ("B=1", "v\\", "B=1\nA=v\\\n"),
        ("B=1", "x'\"`y", "B=1\nA=x'\"`y\n"),
        ("B=\"x", "v w", "B=\"x\nA='v w'\n"),
        ("B=\"x", "it's", "B=\"x\nA=\"it's\"\n"),
        // A quoting that the line before would end in.
        ("B=\"x", "#'", "B=\"x\nA=`#'`\n"),
        ("A=x", "v'\"`\n", "A=\"v'\"`\\n\""),
        ("A=x", "v", "A=v"),
        ("A=x\n", "v", "A=v\n"),
        ("A=x # c\nB=1", "v", "A=v # c\nB=1"),
        ("A=x#c", "v", "A=v #c"),
        ("A=x", "v w", "A=v w"),
        ("A=x", "v#w", "A='v#w'"),
        ("A=x", " v", "A=' v'"),
        ("A=x", "", "A="),
        ("A='x'", "v", "A='v'"),
        ("A='x'", "", "A=''"),
        ("A='x'", "it's", "A=\"it's\""),
        ("A=\"x\"", "v\nw", "A=\"v\\nw\""),
        ("A=\"x\ny\"", "v\nw", "A=\"v\nw\""),
        ("A=\"x\r\ny\"\r\n", "v\nw", "A=\"v\r\nw\"\r\n"),
        ("A='x\ny'\nB=1", "v", "A='v'\nB=1"),
        ("A=`x`", "v", "A=`v`"),
        ("export A=\"x\"", "v", "export A=\"v\""),
        ("  A : z\nA: x", "v", "  A : z\nA: v"),
        ("A=x\nB=1\nA=y\n", "v", "A=x\nB=1\nA=v\n"),
        ("A=x\nA=v\nA=y", "v", "A=x\nA=v\nA=v"),
        ("A=", "v", "A=v"),
        ("A=\nB=1", "v", "A=v\nB=1"),
        ("A=# c", "v", "A=v # c"),
        ("A= # c", "v", "A=v # c"),
        ("A:\n# c\nB=1", "v", "A: v\n# c\nB=1"),
        ("A:\n\nB=1", "v", "A: v\n\nB=1"),
        ("A=\n'x'", "v", "A=\n'v'"),
        ("\u{feff}A=x\r\nB=1", "v", "\u{feff}A=v\r\nB=1"),
        ("B=\r\n\r\nA=x\r\n", "v", "B=\r\n\r\nA=v\r\n"),
        ("A=v", "v", "A=v"),
        ("A=\"v\" # c", "v", "A=\"v\" # c"),
    ];
    for (text, value, edited) in rows {
        assert_eq!(set(text, "A", Some(value))?.as_str(), edited, "{text:?} {value:?}");
        assert_eq!(find(edited, "A")?.as_ref().map(|value| value.as_str()), Some(value));
    }
    Ok(())
}

#[test]
fn a_variable_goes_with_its_lines() -> Outcome {
    let rows = [
        ("", ""),
        ("B=1", "B=1"),
        ("A=x", ""),
        ("A=x\nB=1\n", "B=1\n"),
        ("B=1\nA=x", "B=1\n"),
        ("B=1\r\nA=x\r\nC=2\r\n", "B=1\r\nC=2\r\n"),
        ("B=1\n\n  export A=x # c\n\n# c\nC=2", "B=1\n\n\n# c\nC=2"),
        ("A='x\ny'\nB=1", "B=1"),
        ("A=x\nB=1\nA: y\n", "B=1\n"),
        ("export\nA=x\nB=1", "B=1"),
        ("A:\n# c\nB=1", "# c\nB=1"),
        ("A:\nx y\nB=1", "B=1"),
        ("A=\n\nB=1", "\nB=1"),
        ("\u{feff}A=x\nB=1", "\u{feff}B=1"),
        ("# A=x\nAB=1\n", "# A=x\nAB=1\n"),
    ];
    for (text, edited) in rows {
        assert_eq!(set(text, "A", None)?.as_str(), edited, "{text:?}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_written_is_refused_without_a_word_of_the_value() {
    let rows = [
        ("B=1", "A", "s3cret'\"`#"),
        ("B=1", "A", "s3cret\0"),
        ("A=x", "A", "s3cret'\"`\n#"),
        ("B=1", "A", "s3cret\r`\\n"),
        ("B=1", "A B", "s3cret"),
        ("B=1", "", "s3cret"),
        ("B=1", "__proto__", "s3cret"),
        ("B=1", "A=x", "s3cret"),
    ];
    for (text, name, value) in rows {
        let refused = set(text, name, Some(value)).err();
        assert!(refused.is_some(), "{text:?} {value:?}");
        assert!(refused.is_none_or(|broken| !broken.message.contains("s3cret")));
    }
}

#[test]
fn a_removal_that_changes_another_variable_is_refused() {
    // Without the line between, the quoted text is the value of B.
    let refused = set("B=\nA=x\n'y'\n", "A", None).map_err(|broken| broken.message);
    let message = "the edited text would not say the same everywhere else";
    assert_eq!(refused.err().as_deref(), Some(message));
}
