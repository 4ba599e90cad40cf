//! Searches for secrets where none may be.

/// Panics where one of the secrets is in the text, without showing it.
pub(crate) fn search(text: &[u8], secrets: &[String], place: &str) {
    for secret in secrets.iter().map(String::as_bytes) {
        let found = text.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "a secret in {place}");
    }
}

/// What the host mints is 64 hexadecimal digits; a digest is too, and says so before them.
pub(crate) fn minted(text: &[u8]) -> Vec<String> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let mut found = Vec::new();
    let mut start = 0;
    for word in text.split(|byte| !is_digit(byte)) {
        let before = &text[..start];
        if word.len() == 64 && !before.ends_with(b"sha256:") {
            found.push(String::from_utf8_lossy(word).into_owned());
        }
        start += word.len() + 1;
    }
    found
}

#[test]
#[should_panic(expected = "a secret in the journal")]
fn a_secret_is_found() {
    search(b"a canary-in-a-coal-mine", &["canary-".to_owned()], "the journal");
}

#[test]
fn what_is_minted_is_told_from_digests() {
    let digits = "0123456789abcdef".repeat(4);
    let text = format!(
        "{{\"token\":\"{digits}\",\"digest\":\"hmac-sha256:{digits}\",\"x\":\"{digits}0\"}}"
    );
    assert_eq!(minted(text.as_bytes()), [digits]);
}

#[test]
#[should_panic(expected = "a secret in")]
fn what_a_run_keeps_is_searched_however_it_was_run() {
    let sandbox = super::Sandbox::new();
    std::fs::create_dir_all(sandbox.path("state")).unwrap();
    std::fs::write(sandbox.path("state/leak"), "canary-leaked").unwrap();
}
