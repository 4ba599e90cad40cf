//! How a message is delivered. A URL is a secret: it is read when it is used, and told nobody else.

use std::path::PathBuf;

use precedent::{
    config::{AlertSpec, Channel, Deployment, SecretPlace},
    model::Severity,
    observe::{Machine, ReadError, World},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    command,
    http::{self, Request},
    message::{Event, Message},
};

/// Why a message was not delivered, without a word of what it was sent with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// Whether it may be delivered a moment later.
    pub(super) may_pass: bool,
}

impl Failure {
    /// What another try does not change.
    pub(super) fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), may_pass: false }
    }
}

/// What is needed to deliver messages of a deployment.
pub(super) struct Sender {
    /// What relative paths are relative to.
    base: PathBuf,
}

impl Sender {
    pub(super) fn of(deployment: &Deployment) -> Self {
        Self { base: deployment.base.clone() }
    }

    /// Delivers a message, with as many tries as it takes and is sensible.
    pub(super) fn send(&self, spec: &AlertSpec, message: &Message<'_>) -> Result<(), Failure> {
        match &spec.channel {
            Channel::Slack { url } => {
                let text = json!({"text": without_markup(&message.text())}).to_string();
                http::send(&Request {
                    url: &self.url(url)?,
                    headers: vec![header("Content-Type", "application/json")],
                    body: Some(&text),
                })
            }
            Channel::Ntfy { url, token } => {
                let token = token.as_ref().map(|place| self.secret(place)).transpose()?;
                let (priority, tag) = urgency(message);
                let mut headers = vec![
                    header("Title", &in_ascii(&message.title())),
                    header("Priority", priority),
                    header("Tags", tag),
                ];
                headers.extend(token.map(|token| {
                    let bearer = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
                    ("Authorization".to_owned(), bearer)
                }));
                let (url, body) = (self.url(url)?, message.body());
                http::send(&Request { url: &url, headers, body: Some(&body) })
            }
            Channel::Ping { url } => {
                let url = self.url(url)?;
                if message.event == Event::Recovered {
                    return http::send(&Request { url: &url, headers: Vec::new(), body: None });
                }
                let (url, text) = (failing(&url), message.text());
                http::send(&Request { url: &url, headers: Vec::new(), body: Some(&text) })
            }
            Channel::Command { words, pass_env } => {
                command::run(words, &self.base, pass_env, &message.json().to_string())
            }
            _ => Err(Failure::lasting("this version does not know how")),
        }
    }

    fn url(&self, place: &SecretPlace) -> Result<Zeroizing<String>, Failure> {
        let url = self.secret(place)?;
        let url = url.expose_secret();
        let is_url = url.starts_with("https://") || url.starts_with("http://");
        let is_clean = |c: char| c.is_ascii_graphic();
        if is_url && url.chars().all(is_clean) {
            Ok(Zeroizing::new(url.to_owned()))
        } else {
            Err(Failure::lasting(format!(
                "{} holds no URL that begins with https://",
                named(place)
            )))
        }
    }

    /// The secret at a place, without white space around it.
    fn secret(&self, place: &SecretPlace) -> Result<SecretString, Failure> {
        let world = Machine::default();
        let cannot = |why: &str| Failure::lasting(format!("{} {why}", named(place)));
        let text = match place {
            SecretPlace::Variable(name) => match world.raw_variable(name) {
                Some(value) => value.ok_or_else(|| cannot("is not UTF-8"))?,
                None => return Err(cannot("is not set")),
            },
            SecretPlace::File(path) => {
                let variable = |name: &str| world.variable(name);
                let path = path.resolve(&self.base, &variable, &|path| world.exists(path));
                let path = path.ok_or_else(|| cannot("names a variable that is not set"))?;
                let contents = world.read(&path).map_err(|error| cannot(in_words(error)))?;
                let text = std::str::from_utf8(&contents.bytes);
                Zeroizing::new(text.map_err(|_| cannot("is not UTF-8"))?.to_owned())
            }
            _ => return Err(cannot("is no place that this version knows")),
        };
        match text.trim() {
            "" => Err(cannot("is empty")),
            secret => Ok(SecretString::from(secret)),
        }
    }
}

fn header(name: &str, text: &str) -> (String, Zeroizing<String>) {
    (name.to_owned(), Zeroizing::new(text.to_owned()))
}

/// A place of a secret, for messages.
fn named(place: &SecretPlace) -> String {
    match place {
        SecretPlace::Variable(name) => format!("the variable {name}"),
        SecretPlace::File(path) => format!("the file {}", path.as_written()),
        _ => "its place".to_owned(),
    }
}

fn in_words(error: ReadError) -> &'static str {
    match error {
        ReadError::Absent => "is not there",
        ReadError::NotPermitted => "may not be read by this user",
        ReadError::NotAFile => "is no regular file",
        _ => "cannot be read",
    }
}

/// A text that Slack takes as it is: no mention, no link.
fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What ntfy makes of a message: its priority, and the name of an emoji.
fn urgency(message: &Message<'_>) -> (&'static str, &'static str) {
    match (message.event, message.severity()) {
        (Event::Recovered, _) => ("default", "white_check_mark"),
        (_, Severity::Error) => ("high", "rotating_light"),
        _ => ("default", "warning"),
    }
}

/// A text as a header can hold it.
fn in_ascii(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// The URL that says that all is not well: `/fail` at the end of the path.
fn failing(url: &str) -> Zeroizing<String> {
    let (path, query) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    Zeroizing::new(format!("{}/fail{query}", path.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_channel_would_read_as_its_own_is_made_harmless() {
        assert_eq!(without_markup("<!channel> a & b"), "&lt;!channel&gt; a &amp; b");
        assert_eq!(in_ascii("prodüction\r\nX: 1"), "prod?ction??X: 1");
    }

    #[test]
    fn a_failing_ping_has_its_word_at_the_end_of_the_path() {
        assert_eq!(failing("https://hc.example/uuid").as_str(), "https://hc.example/uuid/fail");
        assert_eq!(failing("https://hc.example/uuid/").as_str(), "https://hc.example/uuid/fail");
        assert_eq!(
            failing("https://hc.example/key/slug?create=1").as_str(),
            "https://hc.example/key/slug/fail?create=1"
        );
    }
}
