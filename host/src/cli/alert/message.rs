//! What is told, as a text and as JSON.

use std::time::Duration;

use precedent::model::Severity;
use serde_json::{Value, json};

use super::problem::Problem;

/// More than a channel shows as it is: ntfy makes a file of more than 4,096 bytes.
const LONGEST: usize = 3500;
/// More than a sentence has.
const LONGEST_LINE: usize = 600;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Something is wrong that was not told yet.
    Problem,
    /// What was told is still wrong.
    Still,
    /// All of it is over.
    Recovered,
}

/// What is told.
pub(super) struct Message<'m> {
    pub(super) deployment: &'m str,
    pub(super) event: Event,
    /// When it began, and when it was looked at, in seconds since 1970.
    pub(super) since: u64,
    pub(super) now: u64,
    /// What is wrong, and whether that is told for the first time.
    pub(super) problems: Vec<(&'m Problem, bool)>,
    /// Which calls fail, and which go on.
    pub(super) calls: &'m [String],
    /// The command that mends it.
    pub(super) remedy: Option<&'m str>,
}

impl Message<'_> {
    /// The worst of what is wrong.
    pub(super) fn severity(&self) -> Severity {
        let severities = self.problems.iter().map(|(problem, _)| problem.severity);
        severities.max().unwrap_or(Severity::Info)
    }

    /// The whole in one line.
    pub(super) fn title(&self) -> String {
        let (name, lasted) = (self.deployment, duration(self.now.saturating_sub(self.since)));
        let count = match self.problems.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        match self.event {
            Event::Problem => format!("{name}: {count}"),
            Event::Still => format!("{name}: {count}, for {lasted} now"),
            Event::Recovered => format!("{name}: in order again, after {lasted}"),
        }
    }

    /// Everything else, line by line.
    pub(super) fn body(&self) -> String {
        if self.event == Event::Recovered {
            return "Nothing of what was told is wrong any more.".to_owned();
        }
        // Where all of it is new, that goes without saying.
        let has_known = self.problems.iter().any(|(_, is_new)| !is_new);
        let mut lines = Vec::new();
        for (problem, is_new) in &self.problems {
            let new = if *is_new && has_known { "new: " } else { "" };
            let warning = if problem.severity < Severity::Error { "warning: " } else { "" };
            lines.push(format!("- {new}{warning}{}", problem.message));
        }
        lines.extend(self.calls.iter().map(|call| format!("- {call}")));
        lines.extend(self.remedy.map(|remedy| format!("To repair: {remedy}")));
        bounded(lines)
    }

    /// Both.
    pub(super) fn text(&self) -> String {
        format!("{}\n{}", self.title(), self.body())
    }

    /// `precedent.alert/1`
    pub(super) fn json(&self) -> Value {
        let problems = self.problems.iter().map(|(problem, is_new)| {
            json!({
                "key": problem.key,
                "severity": problem.severity,
                "message": problem.message,
                "new": is_new,
            })
        });
        json!({
            "schema": "precedent.alert/1",
            "deployment": self.deployment,
            "event": match self.event {
                Event::Problem => "problem",
                Event::Still => "still",
                Event::Recovered => "recovered",
            },
            "severity": self.severity(),
            "since": self.since,
            "problems": problems.collect::<Vec<_>>(),
            "calls": self.calls,
        })
    }
}

/// As many lines as there is room for, and how many there are besides.
fn bounded(lines: Vec<String>) -> String {
    let mut text = String::new();
    let mut left_out = 0;
    for line in lines {
        let line: String = line.chars().take(LONGEST_LINE).collect();
        if left_out > 0 || text.len() + line.len() > LONGEST {
            left_out += 1;
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
    }
    if left_out > 0 {
        text.push_str(&format!("\n(and {left_out} more: see `precedent check`)"));
    }
    text
}

/// How long something lasted, to the minute.
fn duration(seconds: u64) -> String {
    let minutes = seconds / 60;
    if minutes == 0 {
        return "less than a minute".to_owned();
    }
    humantime::format_duration(Duration::from_secs(minutes * 60)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(key: &str, severity: Severity) -> Problem {
        Problem { key: key.to_owned(), severity, message: format!("{key} is wrong") }
    }

    #[test]
    fn what_is_new_is_marked_where_not_all_is() {
        let (a, b) = (problem("a", Severity::Error), problem("b", Severity::Warning));
        let calls = ["deploys fail".to_owned()];
        let mut message = Message {
            deployment: "production",
            event: Event::Problem,
            since: 0,
            now: 9 * 3600 + 59,
            problems: vec![(&a, false), (&b, true)],
            calls: &calls,
            remedy: Some("precedent apply"),
        };
        assert_eq!(
            message.text(),
            "production: 2 problems\n- a is wrong\n- new: warning: b is wrong\n- deploys fail\nTo repair: precedent apply"
        );
        message.problems = vec![(&a, true)];
        assert_eq!(message.title(), "production: 1 problem");
        assert!(message.body().starts_with("- a is wrong\n"), "{}", message.body());
        message.event = Event::Still;
        assert_eq!(message.title(), "production: 1 problem, for 9h now");
    }

    #[test]
    fn a_message_is_no_longer_than_a_channel_shows() {
        let many: Vec<Problem> =
            (0..500).map(|number| problem(&format!("é{number}"), Severity::Error)).collect();
        let message = Message {
            deployment: "production",
            event: Event::Problem,
            since: 0,
            now: 0,
            problems: many.iter().map(|problem| (problem, true)).collect(),
            calls: &[],
            remedy: None,
        };
        let body = message.body();
        assert!(body.len() < 4000, "{}", body.len());
        assert!(body.contains(" more: see `precedent check`)"), "{body}");
    }
}
