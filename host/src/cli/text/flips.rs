//! What another policy would have decided.

use std::io::Write;

use precedent::{decide::Policy, model::named::Difference};
use serde_json::Value;

use super::{
    records::short,
    runs::time,
    words::{BOLD, DIM, GREEN, RED, Written, YELLOW, harmless, paint},
};
use crate::cli::replay::{Flip, FlipKind, Replayed};

/// The flips, the one that was seen last first.
pub(crate) fn flips(out: &mut impl Write, policy: &Policy, replayed: &Replayed) -> Written {
    let about = policy.about();
    writeln!(
        out,
        "{} through policy {} {} ({})",
        count(replayed.records, "record"),
        paint(BOLD, &harmless(&about.name)),
        harmless(&about.version),
        short(policy.digest()),
    )?;
    let mut told = vec![format!("they saw {}", count(replayed.distinct as u64, "installation"))];
    if replayed.skipped > 0 {
        told.push(format!("{} without a decision left out", count(replayed.skipped, "record")));
    }
    if !replayed.is_checked {
        told.push(
            "the host's rules were not asked: nobody says what the policy is granted".to_owned(),
        );
    }
    writeln!(out, "{}", paint(DIM, &format!("({})", told.join("; "))))?;
    for flip in &replayed.flips {
        self::flip(out, flip)?;
    }
    let flipped: usize = replayed.flips.iter().map(|flip| flip.records.len()).sum();
    if flipped == 0 {
        return writeln!(out, "\n{}", paint(GREEN, "Every decision would be the same."));
    }
    let words = format!("{} would come out otherwise.", count(flipped as u64, "record"));
    writeln!(out, "\n{}", paint(RED, &words))
}

fn count(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn flip(out: &mut impl Write, flip: &Flip) -> Written {
    let title = match flip.kind {
        FlipKind::Decision => "decided otherwise",
        FlipKind::Violations => "another answer of the host's rules",
        FlipKind::Settings => "the settings are refused",
        FlipKind::Error => "no answer",
    };
    let at = match (flip.records.first(), flip.records.last()) {
        (Some((first, from)), Some((last, to))) if first != last => format!(
            "{}, the first {first} at {}, the last {last} at {}",
            count(flip.records.len() as u64, "record"),
            time(*from),
            time(*to)
        ),
        (Some((number, at)), _) => format!("record {number} at {}", time(*at)),
        _ => String::new(),
    };
    writeln!(out, "\n{} {at}: {}", paint(RED.bold(), "✗"), paint(YELLOW, title))?;
    for difference in &flip.differences {
        self::difference(out, difference)?;
    }
    Ok(())
}

/// What was and what would be; of lists what only one of them has.
fn difference(out: &mut impl Write, difference: &Difference) -> Written {
    writeln!(out, "    {}", paint(BOLD, &harmless(&difference.what)))?;
    let (one, other) = (elements(&difference.one), elements(&difference.other));
    let is_order = one.iter().all(|was| other.contains(was)) && one.len() == other.len();
    for was in one.iter().filter(|was| is_order || !other.contains(was)) {
        writeln!(out, "      {} {}", paint(RED, "- was     "), harmless(was))?;
    }
    for would in other.iter().filter(|would| is_order || !one.contains(would)) {
        writeln!(out, "      {} {}", paint(GREEN, "+ would be"), harmless(would))?;
    }
    Ok(())
}

fn elements(value: &Value) -> Vec<String> {
    match value {
        Value::Array(elements) => elements.iter().map(in_words).collect(),
        value => vec![in_words(value)],
    }
}

/// Such as `write from env.gateway-token, to config.auth-token`.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(elements) => elements.iter().map(in_words).collect::<Vec<_>>().join(" "),
        Value::Object(parts) => {
            let part = |(key, value): (&String, &Value)| format!("{key} {}", in_words(value));
            parts.iter().map(part).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
