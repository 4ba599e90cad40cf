//! A new secret takes the place of the old one.

use precedent_guest::{Decision, Location, Refusal, Severity};
use precedent_openclaw::{Credential, Installation, Mode, Program};

use crate::settings::{NodeServices, Settings};

/// The new secret of a credential, where one was brought.
pub(crate) fn incoming<'s>(
    installation: &Installation<'s>,
    credential: Credential,
) -> Option<Location<'s>> {
    installation.location(&format!("incoming.{}", credential.name()))
}

/// Why there is nowhere to put the new secret.
pub(crate) fn refusal(
    installation: &Installation<'_>,
    credential: Credential,
    in_use: bool,
) -> Option<Refusal> {
    let refuse = |code: &str, reason: String, remedy: String, at: Option<Location<'_>>| {
        Some(Refusal {
            code: code.to_owned(),
            reason,
            remedy: Some(remedy),
            locations: at.map(|location| location.id).into_iter().collect(),
        })
    };
    incoming(installation, credential)?;
    if installation.mode == Mode::Remote {
        return refuse(
            "rotate-elsewhere",
            "gateway.mode is remote: the secret belongs to another gateway".to_owned(),
            "run precedent rotate where that gateway runs, then openclaw config set gateway.remote.token here".to_owned(),
            installation.location(credential.remote()),
        );
    }
    if !installation.is_readable() {
        return refuse(
            "configuration-unreadable",
            "the configuration cannot be read, and is not written over".to_owned(),
            "mend the file that the finding names".to_owned(),
            None,
        );
    }
    if !in_use {
        let other = credential.other().name();
        return refuse(
            "credential-not-used",
            format!("clients do not authenticate with {} here", credential.name()),
            format!("precedent rotate --credential {other}, if that is the one in use"),
            installation.location(credential.auth()),
        );
    }
    None
}

/// Why the new secret cannot take the place of what stands there.
pub(crate) fn kept_elsewhere(place: Location<'_>) -> Refusal {
    let target = place.reference().map_or("", |reference| reference.target);
    Refusal {
        code: "kept-elsewhere".to_owned(),
        reason: format!(
            "{} refers to {target}: no secret is written over a reference, and what it leads to is not ours to write",
            place.label()
        ),
        remedy: Some("change it where it is kept, then openclaw gateway restart; precedent check says whether all agree".to_owned()),
        locations: vec![place.id],
    }
}

/// Why the new secret cannot be written where it belongs.
pub(crate) fn read_only(place: Location<'_>) -> Refusal {
    Refusal {
        code: "target-read-only".to_owned(),
        reason: format!(
            "{} should take the new secret, but the file does not exist or cannot be written here",
            place.label()
        ),
        remedy: Some("make the file and its folder writable for this user".to_owned()),
        locations: vec![place.id],
    }
}

/// The steps after the files are written, in order: whoever does not see the change by itself is
/// restarted, then it is looked whether all agree.
pub(crate) fn steps(
    installation: &Installation<'_>,
    credential: Credential,
    settings: Settings,
    to: Location<'_>,
    decision: &mut Decision,
) {
    let in_configuration = to.name == credential.auth();
    let by_hand = matches!(installation.snapshot.fact("gateway.reload.mode"), Some("off" | "hot"));
    let alone = in_configuration && !by_hand;
    let consumer = |name| installation.snapshot.consumer_of(name, credential.name());
    if let Some(server) = consumer("gateway").filter(|_| !alone) {
        let restart = installation
            .service(Program::Gateway)
            .map_or("openclaw gateway restart", |service| service.restart);
        let why = if in_configuration {
            "gateway.reload.mode keeps it from taking the change by itself"
        } else {
            "a file of variables is read only at start"
        };
        decision.restart(server.id, format!("{restart}: {why}"));
    }
    let node = installation.service(Program::NodeHost);
    if let (Some(node), Some(host), NodeServices::KeepInStep) =
        (node, consumer("node-host"), settings.node_services)
    {
        decision.restart(
            host.id,
            format!("{}, then {}: it reads its variables only at start", node.reload, node.restart),
        );
    }
    decision.alert(
        Severity::Info,
        "then look whether all agree: openclaw gateway call health, and precedent check",
        "the last step of a rotation",
    );
}
