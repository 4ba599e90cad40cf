//! One policy for every version of the contract: what `tests/compat/VERSION/lib.rs` makes a component
//! of. It uses every part of the contract, and reads its settings without a library, to stay small.
//!
//! Without settings it tells all that it is shown. With `{"answer": "STEP; STEP; ..."}` it answers what
//! the steps say, right or wrong, so that a guest which was built long ago can be told to break a rule
//! that is younger than it is. A place is named by its name or its number, `-` is none:
//!
//! | step | what |
//! |---|---|
//! | `follow` | the first copy of each credential wins, the others follow |
//! | `verdicts` | nothing for every consumer |
//! | `verdict CONSUMER STANDING [LOCATION] WANTED NEXT WORDS` | `STANDING` as in the contract |
//! | `write FROM TO`, `refer FROM TO`, `remove AT`, `mint CREDENTIAL TO`, `refresh AT` | a deed |
//! | `set-fact KEY VALUE`, `restart CONSUMER`, `alert SEVERITY WORDS` | a deed |
//! | `finding SEVERITY CODE LOCATION...` | a finding |
//! | `ask-fact KEY`, `ask-location KEY`, `ask-consumer KEY` | a finding of all that is said under it |
//! | `refuse CODE LOCATION...` | a refusal |
//! | `long BYTES`, `many COUNT`, `hoard`, `loop`, `trap` | runs into a limit |

use crate::{
    contract::{
        Action, Alert, Attribute, Consumer, Decision, Deed, Fault, Finding, Location, LocationId,
        LocationKind, Mint, Phase, Presence, Reference, ReferenceKind, Refusal, Severity, Snapshot,
        Standing, Transfer, Verdict,
    },
    fact_change, read,
};

/// What the settings may be, as JSON Schema.
pub(crate) const SETTINGS: &str =
    r#"{"type":"object","properties":{"answer":{"type":"string"}},"additionalProperties":false}"#;

/// Checks the settings, as the host writes them: without white space.
pub(crate) fn check(settings: &str) -> Result<(), Vec<String>> {
    if settings == "{}" || script(settings).is_some() {
        return Ok(());
    }
    let size = format!("these are {} bytes", settings.len());
    Err(vec!["the one setting is `answer`, a text".to_owned(), size])
}

fn script(settings: &str) -> Option<&str> {
    let script = settings.strip_prefix(r#"{"answer":""#)?.strip_suffix(r#""}"#)?;
    (!script.contains(['"', '\\'])).then_some(script)
}

/// Decides.
pub(crate) fn decide(snapshot: &Snapshot) -> Result<Decision, Refusal> {
    let mut decision = Decision { verdicts: vec![], actions: vec![], findings: vec![] };
    match script(read(snapshot, &snapshot.settings)) {
        None => tell(snapshot, &mut decision),
        Some(script) => {
            for step in script.split(';') {
                follow_step(snapshot, &mut decision, step)?;
            }
        }
    }
    Ok(decision)
}

fn locations(snapshot: &Snapshot) -> impl Iterator<Item = (LocationId, &Location)> {
    (0..).zip(&snapshot.locations)
}

fn consumers(snapshot: &Snapshot) -> impl Iterator<Item = (u32, &Consumer)> {
    (0..).zip(&snapshot.consumers)
}

fn credential(snapshot: &Snapshot, id: u32) -> &str {
    let name = usize::try_from(id).ok().and_then(|id| snapshot.credentials.get(id));
    name.map_or("none", |name| read(snapshot, name))
}

fn attribute<'s>(
    snapshot: &'s Snapshot,
    list: &'s [Attribute],
    owner: u32,
    key: &str,
) -> Option<&'s str> {
    let mut own = list.iter().filter(|one| one.owner == owner);
    own.find(|one| read(snapshot, &one.key) == key).map(|one| read(snapshot, &one.value))
}

fn fact<'s>(snapshot: &'s Snapshot, key: &str) -> Option<&'s str> {
    let fact = snapshot.facts.iter().find(|fact| read(snapshot, &fact.key) == key);
    fact.map(|fact| read(snapshot, &fact.value))
}

/// Puts all that is shown into the words of verdicts and findings.
fn tell(snapshot: &Snapshot, decision: &mut Decision) {
    for (id, consumer) in consumers(snapshot) {
        let of_it = || locations(snapshot).filter(|(_, one)| one.credential == consumer.credential);
        let mut set = of_it().filter_map(|(id, one)| Some((id, standing(id, &one.presence)?)));
        let today = set.next();
        let program = attribute(snapshot, &snapshot.consumer_attributes, id, "program");
        decision.verdicts.push(Verdict {
            consumer: id,
            today: today.map_or(Standing::Nothing, |(_, standing)| standing),
            wanted: of_it().find(|(_, one)| is_plain(one)).map(|(id, _)| id),
            reason: format!(
                "{} on {} reads {}, program {}",
                read(snapshot, &consumer.name),
                consumer.node.as_ref().map_or("this node", |node| read(snapshot, node)),
                credential(snapshot, consumer.credential),
                program.unwrap_or("none"),
            ),
            next: set.next().map(|(id, _)| id),
        });
    }
    for (id, location) in locations(snapshot) {
        decision.findings.push(finding_of(snapshot, id, location));
    }
    let names: Vec<&str> = snapshot.credentials.iter().map(|name| read(snapshot, name)).collect();
    decision.findings.push(Finding {
        code: "deployment".to_owned(),
        severity: Severity::Info,
        message: format!(
            "{}, {}, at {}, settings {}, of {}, mode {}",
            read(snapshot, &snapshot.deployment),
            match snapshot.phase {
                Phase::Start => "start",
                Phase::Restart => "restart",
                Phase::Check => "check",
                Phase::Repair => "repair",
                Phase::Rotate => "rotate",
            },
            snapshot.now,
            read(snapshot, &snapshot.settings),
            names.join(" and "),
            fact(snapshot, "gateway.mode").unwrap_or("none"),
        ),
        remedy: None,
        locations: locations(snapshot).map(|(id, _)| id).collect(),
    });
}

fn is_plain(location: &Location) -> bool {
    matches!(location.presence, Presence::Plain(_))
}

fn standing(id: LocationId, presence: &Presence) -> Option<Standing> {
    match presence {
        Presence::Absent | Presence::Empty | Presence::Placeholder => None,
        Presence::Plain(_) => Some(Standing::Copy(id)),
        Presence::Reference(Reference { resolved: None, .. }) => Some(Standing::Unresolved(id)),
        Presence::Reference(_) => Some(Standing::Copy(id)),
        Presence::Unreadable(_) => Some(Standing::Invalid),
    }
}

fn finding_of(snapshot: &Snapshot, id: LocationId, location: &Location) -> Finding {
    let (severity, presence) = match &location.presence {
        Presence::Absent => (Severity::Warning, "absent".to_owned()),
        Presence::Empty => (Severity::Warning, "empty".to_owned()),
        Presence::Placeholder => (Severity::Warning, "placeholder".to_owned()),
        Presence::Plain(class) => (Severity::Info, format!("plain {class}")),
        Presence::Reference(reference) => {
            let kind = match reference.kind {
                ReferenceKind::Environment => "environment",
                ReferenceKind::File => "file",
                ReferenceKind::Command => "command",
                ReferenceKind::Store => "store",
                ReferenceKind::Unknown => "unknown",
            };
            let (target, to) = (read(snapshot, &reference.target), number(reference.resolved));
            (Severity::Info, format!("reference to {kind} {target} that leads to {to}"))
        }
        Presence::Unreadable(fault) => {
            let fault = match fault {
                Fault::NotPermitted => "not-permitted",
                Fault::NotAFile => "not-a-file",
                Fault::Syntax => "syntax",
                Fault::DuplicateKey => "duplicate-key",
                Fault::WrongType => "wrong-type",
                Fault::TooLarge => "too-large",
                Fault::TimedOut => "timed-out",
                Fault::Failed => "failed",
            };
            (Severity::Error, format!("unreadable: {fault}"))
        }
    };
    let kind = match location.kind {
        LocationKind::Environment => "environment",
        LocationKind::Document => "document",
        LocationKind::File => "file",
        LocationKind::Dotenv => "dotenv",
        LocationKind::Unit => "unit",
        LocationKind::Plist => "plist",
        LocationKind::Command => "command",
        LocationKind::Store => "store",
    };
    let path = attribute(snapshot, &snapshot.location_attributes, id, "path");
    let yes = |is: bool| if is { "yes" } else { "no" };
    Finding {
        code: read(snapshot, &location.name).to_owned(),
        severity,
        message: format!(
            "{}: {kind} of {} on {}, {presence}, expires {}, refresh {}, modified {}, writable {}, durable {}, path {}",
            read(snapshot, &location.label),
            credential(snapshot, location.credential),
            location.node.as_ref().map_or("this node", |node| read(snapshot, node)),
            number(location.expires),
            number(location.refresh_expires),
            number(location.modified),
            yes(location.writable),
            yes(location.durable),
            path.unwrap_or("none"),
        ),
        remedy: (severity == Severity::Warning)
            .then(|| format!("set {}", read(snapshot, &location.label))),
        locations: vec![id],
    }
}

fn number(number: Option<impl ToString>) -> String {
    number.map_or("none".to_owned(), |number| number.to_string())
}

/// Adds what one step says.
fn follow_step(snapshot: &Snapshot, decision: &mut Decision, step: &str) -> Result<(), Refusal> {
    let mut words = step.split_whitespace();
    let Some(first) = words.next() else { return Ok(()) };
    let mut word = || words.next().unwrap_or_default();
    let at = |word: &str| -> LocationId {
        let named = || locations(snapshot).find(|(_, one)| read(snapshot, &one.name) == word);
        word.parse().unwrap_or_else(|_| named().map_or(u32::MAX, |(id, _)| id))
    };
    let consumer_at = |word: &str| -> u32 {
        let named = || consumers(snapshot).find(|(_, one)| read(snapshot, &one.name) == word);
        word.parse().unwrap_or_else(|_| named().map_or(u32::MAX, |(id, _)| id))
    };
    let credential_at = |word: &str| -> u32 {
        let named =
            || (0..).zip(&snapshot.credentials).find(|(_, name)| read(snapshot, name) == word);
        word.parse().unwrap_or_else(|_| named().map_or(u32::MAX, |(id, _)| id))
    };
    let option = |word: &str| (!matches!(word, "" | "-")).then(|| at(word));
    let size = |word: &str| word.parse::<usize>().unwrap_or_default();
    let deed = match first {
        "verdicts" => {
            decision.verdicts.extend(consumers(snapshot).map(|(id, _)| nothing_for(id)));
            return Ok(());
        }
        "verdict" => {
            let consumer = consumer_at(word());
            let today = match word() {
                "copy" => Standing::Copy(at(word())),
                "unresolved" => Standing::Unresolved(at(word())),
                "generated" => Standing::Generated,
                "invalid" => Standing::Invalid,
                _ => Standing::Nothing,
            };
            let (wanted, next) = (option(word()), option(word()));
            let reason = words.collect::<Vec<_>>().join(" ");
            decision.verdicts.push(Verdict { consumer, today, wanted, reason, next });
            return Ok(());
        }
        "follow" => {
            follow_first(snapshot, decision);
            return Ok(());
        }
        "finding" => {
            let severity = severity(word());
            let code = word().to_owned();
            decision.findings.push(Finding {
                message: format!("said {code}"),
                code,
                severity,
                remedy: Some("none".to_owned()),
                locations: words.map(at).collect(),
            });
            return Ok(());
        }
        "ask-fact" => {
            let key = word();
            say(decision, key, fact(snapshot, key));
            return Ok(());
        }
        "ask-location" => {
            let key = word();
            for (id, _) in locations(snapshot) {
                say(decision, key, attribute(snapshot, &snapshot.location_attributes, id, key));
            }
            return Ok(());
        }
        "ask-consumer" => {
            let key = word();
            for (id, _) in consumers(snapshot) {
                say(decision, key, attribute(snapshot, &snapshot.consumer_attributes, id, key));
            }
            return Ok(());
        }
        "refuse" => {
            let code = word().to_owned();
            return Err(Refusal {
                reason: format!("said {code}"),
                code,
                remedy: Some("come back tomorrow".to_owned()),
                locations: words.map(at).collect(),
            });
        }
        "long" => {
            say(decision, "long", Some(&"x".repeat(size(word()))));
            return Ok(());
        }
        "many" => {
            for _ in 0..size(word()) {
                say(decision, "many", Some(""));
            }
            return Ok(());
        }
        "hoard" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(vec![1; 1 << 20]);
                core::hint::black_box(&hoard);
            }
        }
        "loop" => loop {
            core::hint::black_box(());
        },
        "write" => Deed::Write(Transfer { from: at(word()), to: at(word()) }),
        "refer" => Deed::Refer(Transfer { from: at(word()), to: at(word()) }),
        "remove" => Deed::Remove(at(word())),
        "mint" => Deed::Mint(Mint { credential: credential_at(word()), to: at(word()) }),
        "refresh" => Deed::Refresh(at(word())),
        "set-fact" => Deed::SetFact(fact_change(word(), word())),
        "restart" => Deed::Restart(consumer_at(word())),
        "alert" => {
            let severity = severity(word());
            Deed::Alert(Alert { severity, message: words.collect::<Vec<_>>().join(" ") })
        }
        // Also what an old guest is told and does not know: nobody takes it for an answer.
        _ => panic!("no step"),
    };
    decision.actions.push(Action { deed, reason: format!("said {}", step.trim()) });
    Ok(())
}

/// The first copy of each credential wins, and every other place follows it.
fn follow_first(snapshot: &Snapshot, decision: &mut Decision) {
    let winner = |credential: u32| {
        let of_it = |(_, one): &(u32, &Location)| one.credential == credential;
        locations(snapshot).filter(of_it).find(|(_, one)| is_plain(one))
    };
    for (consumer, record) in consumers(snapshot) {
        let winner = winner(record.credential).map(|(id, _)| id);
        decision.verdicts.push(Verdict {
            consumer,
            today: winner.map_or(Standing::Nothing, Standing::Copy),
            wanted: winner,
            reason: "the first copy wins".to_owned(),
            next: None,
        });
    }
    for credential in (0..).take(snapshot.credentials.len()) {
        let Some((from, Location { presence: Presence::Plain(class), .. })) = winner(credential)
        else {
            continue;
        };
        for (to, location) in locations(snapshot) {
            let is_other = !matches!(&location.presence, Presence::Plain(other) if other == class);
            if location.credential == credential && location.writable && is_other {
                let reason = format!("{} follows", read(snapshot, &location.label));
                decision.actions.push(Action { deed: Deed::Write(Transfer { from, to }), reason });
            }
        }
    }
}

fn nothing_for(consumer: u32) -> Verdict {
    let reason = String::new();
    Verdict { consumer, today: Standing::Nothing, wanted: None, reason, next: None }
}

fn severity(word: &str) -> Severity {
    match word {
        "warning" => Severity::Warning,
        "error" => Severity::Error,
        _ => Severity::Info,
    }
}

/// A finding of what is known, where anything is.
fn say(decision: &mut Decision, code: &str, what: Option<&str>) {
    decision.findings.extend(what.map(|what| Finding {
        code: code.to_owned(),
        severity: Severity::Info,
        message: what.to_owned(),
        remedy: None,
        locations: vec![],
    }));
}
