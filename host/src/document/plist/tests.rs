//! What is read, what an edit keeps, and what is refused.

use super::*;

type Outcome = Result<(), Broken>;
type Found<'f> = Result<Option<&'f str>, &'f str>;

const HEAD: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" ",
    "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n",
    "<plist version=\"1.0\">\n",
);
const JOB: &str = "<dict>
\t<key>Label</key>
\t<string>ai.openclaw.gateway</string>
\t<!-- <key>Comment</key> -->
\t<key>ProgramArguments</key>
\t<array>
\t\t<string>node</string>
\t\t<string>a &amp; b</string>
\t</array>
\t<key>EnvironmentVariables</key>
\t<dict>
\t\t<key>HOME</key>
\t\t<string>/Users/x</string> <!-- home -->
\t\t<key>TOKEN</key>
\t\t<string>s3cret</string>
\t\t<!-- last -->
\t</dict>
\t<key>KeepAlive</key>
\t<true/>
\t<key>Nice</key>
\t<integer>5</integer>
</dict>
";
const TOKEN: [&str; 2] = ["EnvironmentVariables", "TOKEN"];

fn list(body: &str) -> String {
    [HEAD, body, "</plist>\n"].concat()
}

fn binary(xml: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written =
        Value::from_reader_xml(xml.as_bytes()).and_then(|value| value.to_writer_binary(&mut bytes));
    assert!(written.is_ok());
    bytes
}

fn found(bytes: &[u8], path: &[&str]) -> Result<Option<String>, String> {
    let found = find(bytes, path).map_err(|broken| broken.message)?;
    Ok(found.map(|value| value.to_string()))
}

/// Edits the body of a list.
fn edited(body: &str, path: &[&str], value: Option<&str>) -> Result<String, String> {
    let edited = set(list(body).as_bytes(), path, value).map_err(|broken| broken.message)?;
    let edited = String::from_utf8(edited.to_vec()).map_err(|error| error.to_string())?;
    let edited = edited.strip_prefix(HEAD).and_then(|text| text.strip_suffix("</plist>\n"));
    edited.map(str::to_owned).ok_or_else(|| "the text around the list changed".to_owned())
}

#[test]
fn strings_are_found_in_both_forms() {
    let xml = list(JOB);
    for bytes in [xml.as_bytes(), &binary(&xml)] {
        let rows: [(&[&str], Found<'_>); _] = [
            (&["Label"], Ok(Some("ai.openclaw.gateway"))),
            (&TOKEN, Ok(Some("s3cret"))),
            (&["EnvironmentVariables", "NONE"], Ok(None)),
            (&["NONE", "NONE"], Ok(None)),
            (&["Nice"], Err("`Nice` is no string")),
            (&["EnvironmentVariables"], Err("`EnvironmentVariables` is no string")),
            (&["Label", "x"], Err("`Label` is no dictionary")),
            (&["ProgramArguments", "0"], Err("`ProgramArguments` is no dictionary")),
            (&[], Err("the property list is no string")),
        ];
        for (path, value) in rows {
            let found = found(bytes, path);
            let found = found.as_ref().map(Option::as_deref).map_err(String::as_str);
            assert_eq!(found, value, "{path:?}");
        }
    }
}

#[test]
fn arrays_of_strings_are_found_in_both_forms() -> Outcome {
    let xml = list(JOB);
    for bytes in [xml.as_bytes(), &binary(&xml)] {
        assert_eq!(strings(bytes, &["ProgramArguments"])?, ["node", "a & b"]);
        assert!(strings(bytes, &["NONE"])?.is_empty());
        let refused = strings(bytes, &["Label"]).err();
        let message = refused.as_ref().map(|broken| broken.message.as_str());
        assert_eq!(message, Some("`Label` is no array of strings"));
    }
    assert!(
        strings(list("<dict><key>a</key><array><true/></array></dict>").as_bytes(), &["a"])
            .is_err()
    );
    Ok(())
}

#[test]
fn a_value_is_replaced_in_place() {
    let rows = [
        ("v", "v"),
        ("", ""),
        (" v ", " v "),
        ("<v>&\"'", "&lt;v&gt;&amp;\"'"),
        ("v\r\nw\t", "v&#13;\nw\t"),
        ("]]>", "]]&gt;"),
        ("🦀", "🦀"),
    ];
    for (value, written) in rows {
        let wanted = JOB.replace("s3cret", written);
        assert_eq!(edited(JOB, &TOKEN, Some(value)), Ok(wanted.clone()));
        assert_eq!(found(list(&wanted).as_bytes(), &TOKEN), Ok(Some(value.to_owned())));
    }
    let one = "<dict><key>a</key><string/></dict>";
    let wanted = "<dict><key>a</key><string>v</string></dict>";
    assert_eq!(edited(one, &["a"], Some("v")).as_deref(), Ok(wanted));
    assert_eq!(edited(one, &["a"], Some("")).as_deref(), Ok(one));
}

#[test]
fn a_missing_key_comes_last_and_as_its_siblings_are() {
    let rows: [(&str, &[&str], &str); _] = [
        (
            "<dict>\n    <key>a</key>\n    <string>x</string>\n</dict>\n",
            &["b"],
            "<dict>\n    <key>a</key>\n    <string>x</string>\n    <key>b</key>\n    \
             <string>v</string>\n</dict>\n",
        ),
        (
            "<dict>\n  <key>a</key> <string>x</string>\n</dict>\n",
            &["b"],
            "<dict>\n  <key>a</key> <string>x</string>\n  <key>b</key> <string>v</string>\n\
             </dict>\n",
        ),
        (
            "<dict>\n  <key>a</key><string>x</string></dict>\n",
            &["b"],
            "<dict>\n  <key>a</key><string>x</string>\n  <key>b</key><string>v</string></dict>\n",
        ),
        (
            "<dict><key>a</key><string>x</string></dict>\n",
            &["b"],
            "<dict><key>a</key><string>x</string><key>b</key><string>v</string></dict>\n",
        ),
        (
            "<dict> <key>a</key> <string>x</string> </dict>\n",
            &["b"],
            "<dict> <key>a</key> <string>x</string> <key>b</key> <string>v</string> </dict>\n",
        ),
        (
            "<dict>\n  <key>a</key>\n  <dict/>\n</dict>\n",
            &["a", "b"],
            "<dict>\n  <key>a</key>\n  <dict>\n    <key>b</key>\n    <string>v</string>\n  \
             </dict>\n</dict>\n",
        ),
        (
            "<dict>\n  <key>a</key>\n  <dict></dict>\n</dict>\n",
            &["a", "b"],
            "<dict>\n  <key>a</key>\n  <dict>\n    <key>b</key>\n    <string>v</string>\n  \
             </dict>\n</dict>\n",
        ),
        (
            "<dict>\n  <key>a</key>\n  <dict>\n  <!-- c -->\n  </dict>\n</dict>\n",
            &["a", "b"],
            "<dict>\n  <key>a</key>\n  <dict>\n  <!-- c -->\n    <key>b</key>\n    \
             <string>v</string>\n  </dict>\n</dict>\n",
        ),
        (
            "<dict>\n  <key>a</key>\n  <true/>\n</dict>\n",
            &["b", "c", "<d>"],
            "<dict>\n  <key>a</key>\n  <true/>\n  <key>b</key>\n  <dict>\n    <key>c</key>\n    \
             <dict>\n      <key>&lt;d&gt;</key>\n      <string>v</string>\n    </dict>\n  \
             </dict>\n</dict>\n",
        ),
        (
            "<dict/>\n",
            &["a", "b"],
            "<dict>\n\t<key>a</key>\n\t<dict>\n\t\t<key>b</key>\n\t\t<string>v</string>\n\t\
             </dict>\n</dict>\n",
        ),
        (
            "<dict id=\"1\" />\n",
            &["a"],
            "<dict id=\"1\">\n\t<key>a</key>\n\t<string>v</string>\n</dict>\n",
        ),
    ];
    for (body, path, wanted) in rows {
        assert_eq!(edited(body, path, Some("v")).as_deref(), Ok(wanted));
    }
    let wanted = JOB.replace(
        "\t\t<!-- last -->\n",
        "\t\t<!-- last -->\n\t\t<key>NEW</key>\n\t\t<string>v</string>\n",
    );
    assert_eq!(edited(JOB, &["EnvironmentVariables", "NEW"], Some("v")), Ok(wanted));
}

#[test]
fn a_list_on_one_line_stays_there() -> Outcome {
    let rows: [(&str, &[&str], Option<&str>, &str); _] = [
        (
            "<plist><dict/></plist>",
            &["a", "b"],
            Some("v"),
            "<plist><dict><key>a</key><dict><key>b</key><string>v</string></dict></dict></plist>",
        ),
        (
            "<plist><dict></dict></plist>",
            &["a"],
            Some("v"),
            "<plist><dict><key>a</key><string>v</string></dict></plist>",
        ),
        (
            "<dict><key>a</key><string>x</string><key>b</key><true/></dict>",
            &["a"],
            None,
            "<dict><key>b</key><true/></dict>",
        ),
    ];
    for (text, path, value, wanted) in rows {
        assert_eq!(set(text.as_bytes(), path, value)?.as_slice(), wanted.as_bytes(), "{text}");
    }
    Ok(())
}

#[test]
fn a_key_goes_with_its_lines() {
    let without = "\t\t<key>TOKEN</key>\n\t\t<string>s3cret</string>\n";
    assert_eq!(edited(JOB, &TOKEN, None), Ok(JOB.replace(without, "")));
    let home = "\t\t<key>HOME</key>\n\t\t<string>/Users/x</string> <!-- home -->\n";
    let wanted = JOB.replace(home, "\t\t<!-- home -->\n");
    assert_eq!(edited(JOB, &["EnvironmentVariables", "HOME"], None), Ok(wanted));
    assert_eq!(edited(JOB, &["EnvironmentVariables", "NONE"], None).as_deref(), Ok(JOB));
    assert_eq!(edited(JOB, &["NONE", "TOKEN"], None).as_deref(), Ok(JOB));
    let rows = [
        ("<dict>\n <key>a</key>\n <string>x</string>\n</dict>\n", "<dict>\n</dict>\n"),
        ("<dict> <key>a</key> <string>x</string> </dict>\n", "<dict> </dict>\n"),
        (
            "<dict>\n <key>b</key><true/> <key>a</key><string>x</string>\n</dict>\n",
            "<dict>\n <key>b</key><true/>\n</dict>\n",
        ),
        (
            "<dict>\n <key>a</key><string>x</string> <key>b</key><true/>\n</dict>\n",
            "<dict>\n <key>b</key><true/>\n</dict>\n",
        ),
    ];
    for (body, wanted) in rows {
        assert_eq!(edited(body, &["a"], None).as_deref(), Ok(wanted));
    }
}

#[test]
fn line_ends_and_the_byte_order_mark_stay() -> Outcome {
    let text = ["\u{feff}", &list(JOB).replace('\n', "\r\n")].concat();
    let with = |value| set(text.as_bytes(), &TOKEN, value);
    assert_eq!(with(Some("v"))?.as_slice(), text.replace("s3cret", "v").as_bytes());
    let without = "\t\t<key>TOKEN</key>\r\n\t\t<string>s3cret</string>\r\n";
    assert_eq!(with(None)?.as_slice(), text.replace(without, "").as_bytes());
    let new = set(text.as_bytes(), &["A"], Some("v"))?;
    let wanted = text.replace(
        "</dict>\r\n</plist>",
        "\t<key>A</key>\r\n\t<string>v</string>\r\n</dict>\r\n</plist>",
    );
    assert_eq!(new.as_slice(), wanted.as_bytes());
    let no_end = list(JOB).trim_end().to_owned();
    let edited = set(no_end.as_bytes(), &TOKEN, Some("v"))?;
    assert_eq!(edited.as_slice(), no_end.replace("s3cret", "v").as_bytes());
    Ok(())
}

#[test]
fn the_binary_form_is_kept_with_its_order() -> Outcome {
    let bytes = binary(&list(JOB));
    let keys = |bytes: &[u8]| {
        let list = List::read(bytes)?;
        assert!(list.xml.is_none());
        let entries = list.value.0.as_dictionary().map(|entries| entries.keys().cloned());
        Ok::<_, Broken>(entries.into_iter().flatten().collect::<Vec<_>>())
    };
    let set_token = set(&bytes, &TOKEN, Some("vé"))?;
    assert_eq!(found(&set_token, &TOKEN), Ok(Some("vé".to_owned())));
    assert_eq!(keys(&set_token)?, keys(&bytes)?);
    let removed = set(&bytes, &["Label"], None)?;
    assert_eq!(keys(&removed)?, keys(&bytes)?.get(1..).unwrap_or_default());
    let added = set(&bytes, &["A", "B"], Some("v"))?;
    assert_eq!(found(&added, &["A", "B"]), Ok(Some("v".to_owned())));
    assert_eq!(keys(&added)?.last().map(String::as_str), Some("A"));
    assert_eq!(set(&bytes, &TOKEN, Some("s3cret"))?.as_slice(), bytes);
    assert_eq!(set(&bytes, &["NONE", "B"], None)?.as_slice(), bytes);
    Ok(())
}

#[test]
fn what_is_no_list_is_refused_with_a_word_of_why() {
    let job = list(JOB);
    let deep = list(&["<array>".repeat(5000), "</array>".repeat(5000)].concat());
    let ended = "the file ends before the property list does";
    let old = "this is a property list in the old text form, which is not read";
    let twice = "the key `a` stands twice in one dictionary";
    let rows = [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("\u{feff}", "the file is empty"),
        ("{ a = s3cret; }", old),
        ("( s3cret )", old),
        ("// c\n{ a = s3cret; }", old),
        ("<0fbd 77>", old),
        ("s3cret!#", "this is no property list"),
        ("bplist00", "the binary property list is broken or cut off"),
        ("bplist01s3cret", "this version of the binary form is not read"),
        (HEAD, ended),
        (job.trim_end().trim_end_matches("</plist>"), ended),
        (job.get(..600).unwrap_or_default(), ended),
        ("<plist><dict><key>a</key><string>s3cret", ended),
        ("<plist><dict><key>a</key><string>s3cret</str", ended),
        ("<!-- s3cret -->", ended),
        ("<plist></plist>", "a value is missing here"),
        ("<plist/>", "this element is none of a property list"),
        ("<html>s3cret</html>", "this element is none of a property list"),
        ("<plist><string>s3cret</dict></plist>", "the XML is not well-formed here"),
        ("<plist>s3cret</plist>", "text stands where an element should"),
        ("<plist><dict/><dict/></plist>", "a second value stands here"),
        ("<plist><dict/></plist><dict/>", "the file goes on after the property list"),
        ("<dict><string>a</string><string>s3cret</string></dict>", "a key is missing here"),
        ("<dict><key>a</key></dict>", "a value is missing here"),
        ("<dict><key>a</key><key>s3cret</key></dict>", "this element is none of a property list"),
        ("<dict><key>a</key><true/><key>a</key><true/></dict>", twice),
        ("<dict><key>b</key><dict><key>a</key><true/><key>&#97;</key><true/></dict></dict>", twice),
        ("<string><![CDATA[s3cret]]></string>", "a CDATA section is not read"),
        ("<string>s3cret&s3cret;</string>", "this entity is not known"),
        ("<string>&#xffffff;</string>", "this character reference cannot be read"),
        ("<string>s3cret<!-- c --></string>", "only text may stand in this element"),
        ("<integer>s3cret</integer>", "the property list is broken"),
        (
            "<!DOCTYPE plist [<!ENTITY e \"s3cret\">]><dict/>",
            "a document type with declarations of its own is not read",
        ),
        ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><dict/>", "only UTF-8 is read"),
        (&deep, "the property list is nested too deeply"),
    ];
    for (text, message) in rows {
        let refused = find(text.as_bytes(), &["a"]).err();
        let refused = refused.map(|broken| broken.message);
        assert_eq!(refused.as_deref(), Some(message), "{text:?}");
        assert!(set(text.as_bytes(), &["a"], Some("v")).is_err());
        assert!(strings(text.as_bytes(), &["a"]).is_err());
    }
    let not_utf8 = find(b"<plist>\xff", &["a"]).err().and_then(|broken| broken.offset);
    assert_eq!(not_utf8, Some(7));
    let offset = find("\u{feff}<dict><true/></dict>".as_bytes(), &["a"]).err();
    assert_eq!(offset.and_then(|broken| broken.offset), Some(9));
}

#[test]
fn what_cannot_be_written_is_refused_without_a_word_of_the_value() {
    let xml = list(JOB);
    let rows: [(&[&str], &str); _] = [
        (&TOKEN, "s3cret\0"),
        (&TOKEN, "s3cret\u{1}"),
        (&TOKEN, "s3cret\u{fffe}"),
        (&["a\u{1}"], "s3cret"),
        (&["Label", "a"], "s3cret"),
        (&["Nice"], "s3cret"),
        (&["EnvironmentVariables"], "s3cret"),
        (&[], "s3cret"),
    ];
    for (path, value) in rows {
        let refused = set(xml.as_bytes(), path, Some(value)).err();
        assert!(refused.is_some(), "{path:?}");
        assert!(refused.is_none_or(|broken| !broken.message.contains("s3cret")));
    }
    // The binary form can have such characters, but no environment a null byte.
    assert!(set(&binary(&xml), &TOKEN, Some("s3cret\u{1}")).is_ok());
    assert!(set(&binary(&xml), &TOKEN, Some("s3cret\0")).is_err());
}

/// A binary list of objects with one-byte offsets, the first of which is the root.
fn objects(objects: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"bplist00".to_vec();
    let mut table = Vec::new();
    for object in objects {
        table.push(u8::try_from(bytes.len()).unwrap_or_default());
        bytes.extend_from_slice(object);
    }
    let at = bytes.len();
    bytes.extend_from_slice(&table);
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 1, 1]);
    for number in [table.len(), 0, at] {
        bytes.extend_from_slice(&u64::try_from(number).unwrap_or_default().to_be_bytes());
    }
    bytes
}

#[test]
fn hostile_binary_lists_are_refused() {
    let message = |bytes: &[u8]| find(bytes, &["a"]).err().map(|broken| broken.message);
    // A dictionary with the key `a` in both of the ways to write it.
    let twice = objects(&[&[0xd2, 1, 2, 3, 3], b"\x51a", b"\x61\0a", b"\x51x"]);
    let said = message(&twice);
    assert_eq!(said.as_deref(), Some("the key `a` stands twice in one dictionary"));
    let number_key = objects(&[&[0xd1, 1, 1], &[0x10, 7]]);
    assert_eq!(message(&number_key).as_deref(), Some("a key is no string"));
    let in_itself = objects(&[&[0xa2, 0, 0]]);
    assert_eq!(message(&in_itself).as_deref(), Some("the property list is nested too deeply"));
    // Each the next one twice: a few bytes, and a billion values.
    let doubling: Vec<[u8; 3]> = (1..=30).map(|next| [0xa2, next, next]).collect();
    let mut doubling: Vec<&[u8]> = doubling.iter().map(<[u8; 3]>::as_slice).collect();
    doubling.push(b"\x51x");
    assert_eq!(message(&objects(&doubling)).as_deref(), Some("the property list says too much"));
    let good = objects(&[&[0xd1, 1, 2], b"\x51a", b"\x51x"]);
    assert_eq!(found(&good, &["a"]), Ok(Some("x".to_owned())));
}

#[test]
fn damage_never_ends_in_a_panic() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |end: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 33).unwrap_or_default() % end.max(1)
    };
    let xml = list(JOB);
    for whole in [xml.clone().into_bytes(), binary(&xml)] {
        for _ in 0..5000 {
            let mut bytes = whole.clone();
            for _ in 0..=below(3) {
                let at = below(bytes.len());
                match below(3) {
                    0 => bytes.truncate(at),
                    1 => bytes.extend_from_within(at..),
                    _ => {
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = u8::try_from(below(256)).unwrap_or_default();
                        }
                    }
                }
            }
            let _ = find(&bytes, &TOKEN);
            let _ = set(&bytes, &TOKEN, Some("v"));
            let _ = set(&bytes, &TOKEN, None);
            let _ = set(&bytes, &["A", "B"], Some("v"));
        }
    }
}
