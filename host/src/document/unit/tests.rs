//! What is read as systemd reads it, and what an edit keeps.

use super::*;

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).unwrap_or_else(|_| unreachable!())
}

fn token(text: &str) -> Option<String> {
    let unit = Unit::parse(text).ok()?;
    unit.find(&pointer("/Service/Environment/TOKEN")).map(|value| value.to_string())
}

fn set(text: &str, value: Option<&str>) -> Result<String, String> {
    let unit = Unit::parse(text).map_err(|error| error.message)?;
    let new = unit.set(&pointer("/Service/Environment/TOKEN"), value);
    new.map(|new| new.to_string()).map_err(|broken| broken.message)
}

#[test]
fn words_are_split_as_systemd_splits_them() {
    let rows = [
        ("Environment=TOKEN=x", Some("x")),
        ("Environment = TOKEN=x ", Some("x")),
        ("Environment=A=1 TOKEN=x B=2", Some("x")),
        ("Environment=\"TOKEN=x y\" B=2", Some("x y")),
        ("Environment=TOKEN=\"x y\"", Some("x y")),
        ("Environment='TOKEN=x \"y\"'", Some("x \"y\"")),
        ("Environment=TOKEN=a\\x20b\\tc\\u00e9\\101", Some("a b\tc\u{e9}A")),
        ("Environment=\"TOKEN=a\\\"b\\\\c\"", Some("a\"b\\c")),
        // What cannot be read ends the line, and what stood before it counts.
        ("Environment=TOKEN=x B=\\q TOKEN=y", Some("x")),
        ("Environment=B=\"open TOKEN=y", None),
        // The last one wins; specifiers are expanded later.
        ("Environment=TOKEN=x\nEnvironment=TOKEN=y%%z", Some("y%%z")),
        ("Environment=TOKEN=", Some("")),
        ("Environment=A=1 \\\n  TOKEN=x \\\n  B=2", Some("x")),
        ("Environment=A=1 \\\n# TOKEN=no\n; nor this\n TOKEN=x", Some("x")),
        ("Environment=A=1 \\\\\nTOKEN=x", None),
        ("#Environment=TOKEN=x", None),
        (" ; Environment=TOKEN=x", None),
        ("environment=TOKEN=x", None),
        ("Environment=XTOKEN=x", None),
        ("[Install]\nEnvironment=TOKEN=x", None),
        ("no equals sign\nEnvironment=TOKEN=x\r\n", Some("x")),
    ];
    for (text, expected) in rows {
        let found = token(&format!("[Service]\n{text}"));
        assert_eq!(found.as_deref(), expected, "{text:?}");
    }
}

#[test]
fn an_edit_changes_nothing_else() {
    let rows = [
        ("Environment=TOKEN=x\nA=1\n", None, "A=1\n"),
        ("Environment=A=1 TOKEN=x B=2\n", None, "Environment=A=1 B=2\n"),
        ("Environment=A=1 TOKEN=x\n", None, "Environment=A=1\n"),
        ("Environment=TOKEN=x TOKEN=y  B=2 TOKEN=z\n", None, "Environment=B=2\n"),
        ("Environment=TOKEN=x\r\nA=1\r\n", None, "A=1\r\n"),
        ("Environment=TOKEN=x", None, ""),
        ("Environment=A=1 \\\n  TOKEN=x \\\n  B=2\n", None, "Environment=A=1 \\\n  B=2\n"),
        ("Environment=TOKEN=x \\\n# kept\n  TOKEN=y\nB=1\n", None, "# kept\nB=1\n"),
        ("Environment=A=1 \\\n# kept\n  TOKEN=y\n", None, "Environment=A=1 \\\n# kept\n  \n"),
        (
            "Environment=TOKEN=a\nEnvironment=B=1\nEnvironment=\"TOKEN=c d\"\n",
            None,
            "Environment=B=1\n",
        ),
        ("Environment=A=1\n", None, "Environment=A=1\n"),
        // A value takes the place of the one that counts.
        ("Environment=TOKEN=x B=2\n", Some("new"), "Environment=TOKEN=new B=2\n"),
        (
            "Environment=TOKEN=x\nEnvironment=TOKEN=y\n",
            Some("n"),
            "Environment=TOKEN=x\nEnvironment=TOKEN=n\n",
        ),
        (
            "Environment=\"TOKEN=x y\"\n",
            Some("50% \"a\\b"),
            "Environment=\"TOKEN=50%% \\\"a\\\\b\"\n",
        ),
        (
            "Environment=A=1\nExecStart=/x\n",
            Some("n"),
            "Environment=A=1\nEnvironment=TOKEN=n\nExecStart=/x\n",
        ),
        ("ExecStart=/x", Some("n"), "ExecStart=/x\nEnvironment=TOKEN=n"),
        ("ExecStart=/x\r\n", Some("n"), "ExecStart=/x\r\nEnvironment=TOKEN=n\r\n"),
    ];
    for (text, value, expected) in rows {
        let head = "[Unit]\nDescription=\"x\" \\\n y\n[Service]\n";
        let found = set(&format!("{head}{text}"), value);
        assert_eq!(found.as_deref(), Ok(format!("{head}{expected}").as_str()), "{text:?}");
    }
}

#[test]
fn what_is_no_unit_says_so_and_shows_nothing() {
    let error = |text| Unit::parse(text).err().map(|error| (error.message, error.at));
    let says = |text| error(text).map(|(message, _)| message);
    assert_eq!(says(""), None);
    assert_eq!(
        says("TOKEN=canary\n").as_deref(),
        Some("no section such as [Service]; this is no unit")
    );
    assert_eq!(error("[Service]\nA=\0").and_then(|(_, at)| at), Some((2, 3)));
    assert_eq!(error("\n[Service\nA=1").and_then(|(_, at)| at), Some((2, 1)));
    assert!(set("[Service]\nA=1\n", Some("a\u{1}b")).is_err_and(|says| !says.contains("a\u{1}b")));
    assert!(set("[Unit]\nA=1\n", Some("x")).is_err());
}

#[test]
fn specifiers_are_those_of_the_manual() {
    let variable = |name: &str| match name {
        "HOME" => Some("/home/claw".to_owned()),
        "XDG_RUNTIME_DIR" => Some("/run/user/1000".to_owned()),
        _ => None,
    };
    let expand = |user, text: &str| {
        let specifiers =
            Specifiers { unit: "openclaw-gateway@a.service", user, variable: &variable };
        specifiers.expand(text).map(|text| text.to_string())
    };
    assert_eq!(
        expand(true, "%h/%N/%i/%p/%j%%").as_deref(),
        Some("/home/claw/openclaw-gateway@a/a/openclaw-gateway/gateway%")
    );
    assert_eq!(expand(true, "%t %E").as_deref(), Some("/run/user/1000 /home/claw/.config"));
    assert_eq!(expand(false, "%h %t %S").as_deref(), Some("/root /run /var/lib"));
    assert_eq!(expand(true, "%Z"), None);
    assert_eq!(expand(true, "50%"), None);
}
