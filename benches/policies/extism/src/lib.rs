//! The reference policy as a plugin for Extism: the rules of `policies/rust`, on plain records that
//! come and go as JSON. Whoever measures takes the records from here too.

pub mod request;

use request::{Decision, Finding, Kind, Place, Presence, Request, Verdict, Write};

/// The function that the plugin exports.
#[cfg(target_arch = "wasm32")]
#[allow(missing_docs, reason = "what the macro makes of it has none")]
#[extism_pdk::plugin_fn]
pub fn decision(
    extism_pdk::Json(request): extism_pdk::Json<Request>,
) -> extism_pdk::FnResult<extism_pdk::Json<Decision>> {
    Ok(extism_pdk::Json(decide(&request)))
}

/// A place with its position.
type Numbered<'r> = (u32, &'r Place);

/// Decides.
#[must_use]
pub fn decide(request: &Request) -> Decision {
    let mut copies: Vec<Vec<Numbered<'_>>> = vec![Vec::new(); request.credentials.len()];
    for (id, place) in (0..).zip(&request.locations) {
        if let Some(copies) = copies.get_mut(place.credential as usize) {
            copies.push((id, place));
        }
    }
    let mut decision = Decision::default();
    for (consumer, program) in (0..).zip(&request.consumers) {
        let none = Vec::new();
        let copies = copies.get(program.credential as usize).unwrap_or(&none);
        let mut read = order(&program.name).iter().flat_map(|kind| {
            copies.iter().filter(move |(_, place)| place.kind == *kind && place.secret.is_some())
        });
        let (today, next, truth) = (read.next(), read.next(), truth(copies));
        let reason = match (today, truth) {
            (Some((_, today)), Some((_, truth))) => format!(
                "{} reads {}; {} is the source of truth",
                program.name, today.label, truth.label
            ),
            (Some((_, today)), None) => format!("{} reads {}", program.name, today.label),
            (None, _) => format!("{} finds no copy", program.name),
        };
        let id = |place: Option<&Numbered<'_>>| place.map(|(id, _)| *id);
        let (today, next, wanted) = (id(today), id(next), id(truth));
        decision.verdicts.push(Verdict { consumer, today, wanted, next, reason });
    }
    for copies in &copies {
        if let Some(truth) = truth(copies) {
            follow(&mut decision, truth, copies);
        }
    }
    decision
}

/// The kinds of places that a program looks at, in its order.
fn order(program: &str) -> &'static [Kind] {
    use Kind::{Document, Dotenv, Environment, Unit};
    match program {
        "gateway" => &[Document, Environment],
        "cli" => &[Environment, Document, Dotenv],
        "tui" => &[Document, Dotenv, Environment],
        "probe" => &[Dotenv, Environment, Document],
        _ => &[Unit, Environment, Document],
    }
}

/// The source of truth among the copies of one credential.
fn truth<'c, 'r>(copies: &'c [Numbered<'r>]) -> Option<&'c Numbered<'r>> {
    copies
        .iter()
        .find(|(_, place)| place.kind == Kind::Environment && place.presence == Presence::Plain)
}

/// Has every copy follow that can.
fn follow(decision: &mut Decision, (from, truth): &Numbered<'_>, copies: &[Numbered<'_>]) {
    for (to, copy) in copies.iter().filter(|(_, copy)| copy.secret != truth.secret) {
        if copy.writable && copy.presence != Presence::Reference {
            let reason = format!("{} follows {}", copy.label, truth.label);
            decision.actions.push(Write { from: *from, to: *to, reason });
        } else {
            let message = format!("{} does not follow {}", copy.label, truth.label);
            let code = "left-alone".to_owned();
            decision.findings.push(Finding { code, message, location: *to });
        }
    }
}
