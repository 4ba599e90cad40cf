//! What is read as systemd reads it, and what an edit keeps.

use super::*;

type Outcome = Result<(), Broken>;

#[test]
fn values_are_read_as_systemd_reads_them() -> Outcome {
    let rows = [
        ("", None),
        ("A=x", Some("x")),
        ("A=x\nA=y\n", Some("y")),
        ("A=y\nA=", Some("")),
        ("A", None),
        ("# A=x", None),
        ("; A=x", None),
        ("  A = x  ", Some("x")),
        ("export A=x", None),
        ("A: x", None),
        ("A=x # c", Some("x # c")),
        ("A=#x", Some("#x")),
        ("A=x y", Some("x y")),
        ("A='x y '", Some("x y ")),
        ("A=\"x\" 'y'z", Some("xyz")),
        ("A=\"x\" # c", Some("x# c")),
        ("A=x\"y\"", Some("x\"y\"")),
        ("A='x\\y'", Some("x\\y")),
        ("A='it\\'s'", Some("it\\s'")),
        ("A=\"\\\"\\\\\\`\\$\\n\"", Some("\"\\`$\\n")),
        ("A=\"x\\\ny\"", Some("xy")),
        ("A=\"x\\\r\ny\"", Some("x\\\r\ny")),
        ("A=\"x\ny\"", Some("x\ny")),
        ("A=x\\\ny", Some("xy")),
        ("A=x\\ny", Some("xny")),
        ("A=x\\ ", Some("x ")),
        ("A=x \\\n", Some("x ")),
        ("A=\\\n x", Some(" x")),
        ("A=\\\n\"x\"", Some("\"x\"")),
        ("A=x\\\r\ny", Some("x")),
        ("A=x\\", Some("x")),
        ("A=\"x", Some("x")),
        ("A='x\nB=1", Some("x\nB=1")),
        ("A=x\r\nB=1\r\n", Some("x")),
        ("B=1\rA=x\r", Some("x")),
        ("\u{feff}A=x", None),
        ("B=1\n\u{feff}A=x", None),
        ("A=\u{a0}x", Some("\u{a0}x")),
        ("# c \\\\\nA=x", Some("x")),
        ("A==x", Some("=x")),
        ("A=x\u{1}", Some("x\u{1}")),
    ];
    for (text, value) in rows {
        let found = find(text, "A")?;
        assert_eq!(found.as_ref().map(|value| value.as_str()), value, "{text:?}");
    }
    Ok(())
}

#[test]
fn invalid_names_set_nothing() -> Outcome {
    for name in ["1", "a.b", "a-b", "ä", "export A", "", "=A", "\"A\""] {
        assert!(find(&format!("{name}=x\n"), name)?.is_none(), "{name:?}");
    }
    Ok(())
}

#[test]
fn a_value_is_set_and_the_rest_stays() -> Outcome {
    let rows = [
        ("", "v", "A=v\n"),
        ("B=1\n", "v", "B=1\nA=v\n"),
        ("B=1", "v", "B=1\nA=v\n"),
        ("B=1\r\nC=2", "v", "B=1\r\nC=2\r\nA=v\r\n"),
        ("B=1\\", "v", "B=1\\\n\nA=v\n"),
        ("# c\\\n", "v", "# c\\\n\nA=v\n"),
        ("export A=x\n", "v", "export A=x\nA=v\n"),
        ("B=1", "", "B=1\nA=\n"),
        ("B=1", "v w", "B=1\nA=\"v w\"\n"),
        ("B=1", "\"v\\`$'", "B=1\nA=\"\\\"v\\\\\\`\\$'\"\n"),
        ("B=1", "v\nw\r\n", "B=1\nA=\"v\nw\r\n\"\n"),
        ("A=x", "v", "A=v"),
        ("A = x \nB=1", "v", "A = v \nB=1"),
        ("A=x", "v w", "A=v w"),
        ("A=x", "v#w", "A=v#w"),
        ("A=x", " v", "A=\" v\""),
        ("A=x", "v\\", "A=\"v\\\\\""),
        ("A=x", "", "A="),
        ("A=", "v w", "A=\"v w\""),
        ("A= \nB=1", "v", "A=v \nB=1"),
        ("A='x'", "v w", "A='v w'"),
        ("A='x'", "v\\", "A='v\\'"),
        ("A='x'", "it's", "A=\"it's\""),
        ("A='x'", "", "A=''"),
        ("A=\"x\"", "v", "A=\"v\""),
        ("A=\"x\"'y'z \nB=1", "v", "A=\"v\" \nB=1"),
        ("A=x\\\ny\nB=1", "v", "A=v\nB=1"),
        ("A=x\nB=1\nA=y\n", "v", "A=x\nB=1\nA=v\n"),
        ("A=x\r\nB=1\r\n", "v", "A=v\r\nB=1\r\n"),
        ("A=\"x", "v", "A=\"v\""),
        ("A='v' ", "v", "A='v' "),
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
        ("A=\"x\ny\"\nB=1", "B=1"),
        ("A=x\\\ny\nB=1", "B=1"),
        ("A=x\nB=1\n  A = y\n", "B=1\n"),
        ("export A=x\n", "export A=x\n"),
        ("# A=x\nAB=1", "# A=x\nAB=1"),
    ];
    for (text, edited) in rows {
        assert_eq!(set(text, "A", None)?.as_str(), edited, "{text:?}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_written_is_refused_without_a_word_of_the_value() {
    let rows = [
        ("B=1", "A", "s3cret\0"),
        ("B=1", "A", "s3cret\u{fffe}"),
        ("B=1", "1A", "s3cret"),
        ("B=1", "a.b", "s3cret"),
        ("B=1", "", "s3cret"),
        ("B=1", "export A", "s3cret"),
        // A quote that does not end would take it in.
        ("B='s3cret", "A", "s3cret"),
        ("B=s3cret\0", "A", "v"),
        ("B=s3cret\u{fdd0}", "A", "v"),
    ];
    for (text, name, value) in rows {
        let refused = set(text, name, Some(value)).err();
        assert!(refused.is_some(), "{text:?} {value:?}");
        assert!(refused.is_none_or(|broken| !broken.message.contains("s3cret")));
    }
}

#[test]
fn what_versions_of_systemd_differ_in_is_not_read() -> Outcome {
    let text = "B=1\n# c\\\nA=x\nC=2\n";
    let refused = find(text, "A").err();
    assert_eq!(refused.as_ref().and_then(|broken| broken.offset), Some(8));
    assert!(set(text, "A", Some("v")).is_err());
    // Found by fuzzing: from different lines, but the same.
    let alike = "A=x\n# c\\\nA=x\n";
    assert_eq!(find(alike, "A")?.as_ref().map(|value| value.as_str()), Some("x"));
    // The others are as they are in both.
    assert_eq!(find(text, "C")?.as_ref().map(|value| value.as_str()), Some("2"));
    assert_eq!(set(text, "C", Some("v"))?.as_str(), "B=1\n# c\\\nA=x\nC=v\n");
    Ok(())
}
