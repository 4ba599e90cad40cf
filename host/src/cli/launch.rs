//! What a program is started with, for `exec` and `watch`: its credentials, each in a variable, and
//! whether it would use them.
//!
//! | module | what |
//! |---|---|
//! | `variables` | the variables that a program takes its credentials from |
//! | `as_if` | the world as it would be with other variables |
//! | `command` | the program itself, and why it could not be started |

mod as_if;
mod command;
mod variables;

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args as ClapArgs;
use precedent::{
    Proposal, ResolveError, Ruling,
    model::{LocationId, Snapshot, Standing, Verdict},
    plan::drifts,
    secret::Fingerprint,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    exit::{Exit, UsageError},
    session::Session,
};
use as_if::AsIf;
use variables::Variables;

pub(crate) use command::{Unstarted, command};

/// Which program it is, and the variables that it reads.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct LaunchArgs {
    /// Which of the deployment's programs CMD is
    #[arg(long, value_name = "NAME", default_value = "gateway")]
    pub(crate) consumer: String,
    /// The variable that CMD takes a credential from; may be repeated [default: the one that the deployment declares]
    #[arg(long, value_name = "CREDENTIAL=VARIABLE")]
    pub(crate) env: Vec<String>,
}

/// What a program is started with.
pub(crate) struct Given {
    /// Variables, each with the secret that goes into it.
    variables: BTreeMap<String, SecretString>,
    /// What it will use of each credential; none where that is nothing, or not known here.
    #[cfg_attr(not(feature = "watch"), allow(dead_code, reason = "only a watch compares it"))]
    pub(crate) uses: BTreeMap<String, Option<Fingerprint>>,
}

/// A program that must not start as things are, and why.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

/// What a program is to be given, if it may start with it: decides again as if it had been given that
/// already, for a program that reads its configuration first would not care for the variable.
pub(crate) fn given(
    session: &Session,
    proposal: &Proposal,
    args: &LaunchArgs,
) -> Result<std::result::Result<Given, Held>> {
    let reads = Variables::of(session, &proposal.snapshot, args)?;
    if let Some(held) = refused(session, proposal, "") {
        return Ok(Err(held));
    }
    let (mut variables, mut chosen) = (BTreeMap::new(), BTreeMap::new());
    for credential in &reads.credentials {
        let resolved = match proposal.resolve(&args.consumer, credential) {
            Ok(resolved) => resolved,
            // Whether it can do without is for the second look to say.
            Err(ResolveError::Nothing { .. }) => continue,
            Err(error) => return Err(UsageError(error.to_string()).into()),
        };
        chosen.insert(credential.clone(), (resolved.location, resolved.fingerprint));
        for variable in reads.of_credential(credential) {
            if resolved.secret.expose_secret().contains('\0') {
                let label = proposal.snapshot.label_of(resolved.location);
                let message =
                    format!("the {credential} at {label} holds a zero byte, which no variable can");
                let remedy = "put one there that is text".to_owned();
                return Ok(Err(Held { exit: Exit::Drift, message, remedy }));
            }
            variables.insert(variable.clone(), resolved.secret.clone());
        }
    }
    let then = session.propose_in(&AsIf::with(&variables))?;
    let names: Vec<&str> = variables.keys().map(String::as_str).collect();
    let set =
        if names.is_empty() { String::new() } else { format!(" with {} set", names.join(" and ")) };
    if let Some(held) = refused(session, &then, &set) {
        return Ok(Err(held));
    }
    let wrong = mismatches(proposal, &then, &reads, &args.consumer, &chosen);
    if wrong.is_empty() {
        let mut uses = uses(&then, &args.consumer);
        // It is somebody's word that the program takes it from there.
        let told = chosen.into_iter().filter(|(credential, _)| reads.is_told(credential));
        uses.extend(told.map(|(credential, (_, fingerprint))| (credential, Some(fingerprint))));
        return Ok(Ok(Given { variables, uses }));
    }
    let even = if names.is_empty() { "" } else { ", even" };
    Ok(Err(Held {
        exit: Exit::Drift,
        message: format!("as `{}` it {}{even}{set}", args.consumer, wrong.join("; and it ")),
        remedy: remedy(session, proposal, &reads, &chosen),
    }))
}

/// Where the program would use another copy than the one that was chosen, in words.
fn mismatches(
    proposal: &Proposal,
    then: &Proposal,
    reads: &Variables,
    consumer: &str,
    chosen: &BTreeMap<String, Chosen>,
) -> Vec<String> {
    let asked = reads.credentials.iter().filter(|credential| !reads.is_told(credential));
    let in_words_of = |credential: &String| {
        let verdict = verdict(then, consumer, credential)?;
        let wanted = chosen.get(credential);
        if !differs(&then.snapshot, verdict, wanted.map(|(_, fingerprint)| *fingerprint)) {
            return None;
        }
        let wanted = wanted
            .map(|(id, _)| in_words(&proposal.snapshot, *id))
            .or_else(|| verdict.wanted.map(|id| in_words(&then.snapshot, id)));
        Some(mismatch(&then.snapshot, verdict, credential, wanted.as_deref()))
    };
    asked.filter_map(in_words_of).collect()
}

/// What to do where the program would use another copy than the one that was chosen.
fn remedy(
    session: &Session,
    proposal: &Proposal,
    reads: &Variables,
    chosen: &BTreeMap<String, Chosen>,
) -> String {
    let without = chosen.keys().find(|credential| reads.of_credential(credential).is_empty());
    let words = &session.words;
    if proposal.plan().is_some_and(|plan| !plan.is_empty()) {
        format!("precedent apply{words}, or --apply here, brings the copies into step first")
    } else if let Some(credential) = without {
        format!("no variable is declared for it; name one that it reads: --env {credential}=NAME")
    } else {
        format!("precedent explain{words} says which copies there are, and why")
    }
}

/// Whether the deployment knows the program, and the words fit it.
pub(crate) fn check(session: &Session, proposal: &Proposal, args: &LaunchArgs) -> Result<()> {
    Variables::of(session, &proposal.snapshot, args).map(drop)
}

/// Where the program must not start whatever it is given.
fn refused(session: &Session, proposal: &Proposal, with: &str) -> Option<Held> {
    let (message, remedy) = match &proposal.ruling {
        Ruling::Refused(refusal) => (
            format!("the policy refuses{with}: {}: {}", refusal.code, refusal.reason),
            refusal.remedy.clone(),
        ),
        Ruling::Violated(_, violations) => {
            (format!("the policy's decision breaks the host's rules{with}: {violations}"), None)
        }
        _ => return None,
    };
    let remedy = remedy.unwrap_or_else(|| format!("precedent explain{} shows all", session.words));
    Some(Held { exit: Exit::Refused, message, remedy })
}

/// A copy that was chosen, and its fingerprint.
type Chosen = (LocationId, Fingerprint);

fn verdict<'p>(proposal: &'p Proposal, consumer: &str, credential: &str) -> Option<&'p Verdict> {
    let snapshot = &proposal.snapshot;
    proposal.decision()?.verdicts.iter().find(|verdict| {
        snapshot.consumers.get(verdict.consumer.index()).is_some_and(|one| {
            one.name == consumer && snapshot.credential(one.credential) == credential
        })
    })
}

/// What a program uses today of each credential that it reads; none where that is nothing, or not
/// known here.
pub(crate) fn uses(proposal: &Proposal, consumer: &str) -> BTreeMap<String, Option<Fingerprint>> {
    let snapshot = &proposal.snapshot;
    let read = snapshot.consumers.iter().filter(|one| one.name == consumer);
    let use_of = |credential: &str| {
        let copy = copy_of(verdict(proposal, consumer, credential)?)?;
        fingerprint(snapshot, copy)
    };
    read.map(|one| snapshot.credential(one.credential))
        .map(|credential| (credential.to_owned(), use_of(credential)))
        .collect()
}

fn copy_of(verdict: &Verdict) -> Option<LocationId> {
    match verdict.today {
        Standing::Copy(id) => Some(id),
        _ => None,
    }
}

fn fingerprint(snapshot: &Snapshot, id: LocationId) -> Option<Fingerprint> {
    snapshot.location(id)?.presence.fingerprint()
}

/// Whether a program would use another secret than the one that was chosen for it.
fn differs(snapshot: &Snapshot, verdict: &Verdict, chosen: Option<Fingerprint>) -> bool {
    let today = copy_of(verdict);
    let is_elsewhere = today
        .and_then(|id| snapshot.location(id))
        .is_some_and(|location| location.presence.is_elsewhere());
    drifts(snapshot, verdict)
        || !is_elsewhere
            && chosen.is_some_and(|chosen| {
                today.and_then(|id| fingerprint(snapshot, id)) != Some(chosen)
            })
}

fn mismatch(
    snapshot: &Snapshot,
    verdict: &Verdict,
    credential: &str,
    wanted: Option<&str>,
) -> String {
    let would = match verdict.today {
        Standing::Copy(id) => format!("would use {} as its {credential}", in_words(snapshot, id)),
        Standing::Unresolved(id) => format!(
            "would stop at the reference at {}, which leads to no {credential}",
            snapshot.label_of(id)
        ),
        Standing::Generated => format!("would make up a {credential} that nobody knows"),
        Standing::Invalid => {
            format!("would refuse its configuration when it looks for its {credential}")
        }
        _ => format!("would find no {credential}"),
    };
    match wanted {
        Some(wanted) => format!("{would}, and not {wanted}"),
        None => would,
    }
}

fn in_words(snapshot: &Snapshot, id: LocationId) -> String {
    match fingerprint(snapshot, id) {
        Some(fingerprint) => format!("{} #{fingerprint}", snapshot.label_of(id)),
        None => snapshot.label_of(id),
    }
}
