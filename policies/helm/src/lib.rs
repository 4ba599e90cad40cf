//! A gateway in a pod. The Secret's variable `OPENCLAW_GATEWAY_TOKEN` is the source of truth; the
//! copies on the volume follow it at every start, or go, as the setting `persist` says.
//!
//! The server reads `gateway.auth.token` before the variable, so a stale copy there makes the
//! *server* switch; and a program without the variable falls back to the copies. Both are why the
//! copies matter although the variable is set.

mod settings;

use precedent_guest::{Answer, Decision, Location, Policy, Presence, Severity, Snapshot};
use precedent_openclaw::{AuthMode, Credential, Installation, Mode, Version, holes};

pub use settings::{Persist, Settings};

/// The policy.
pub struct Helm;

const SOURCE: &str = "env.gateway-token";

impl Policy for Helm {
    type Settings = Settings;

    const SETTINGS_SCHEMA: &'static str = include_str!("settings.schema.json");

    fn decide(snapshot: &Snapshot, settings: Settings) -> Answer {
        let installation = Installation::new(snapshot);
        let mut decision = Decision::default();
        let authority = authority(&installation, &mut decision);
        // A configuration of which a part cannot be read is not touched at all; the host's own
        // finding names file, line and column.
        if let Some(source) = authority
            && installation.is_readable()
        {
            let copies = [Credential::Token.auth(), Credential::Token.remote()];
            for copy in copies.into_iter().filter_map(|name| installation.location(name)) {
                follow(&installation, settings.persist, source, copy, &mut decision);
            }
        }
        if authority.is_some() {
            holes::version(&installation, &mut decision);
        }
        installation.judge(&mut decision, |consumer, resolved| {
            let token = snapshot.credential_name(consumer.credential) == "gateway-token";
            match authority {
                Some(source) if token => {
                    (Some(source), [source.label(), " is the source of truth"].concat())
                }
                _ => (today(snapshot, resolved), "left as it is".to_owned()),
            }
        });
        Ok(decision)
    }
}

precedent_guest::export!(Helm);

/// The variable, where it is for this policy to say what the others must be. Where it is not, a
/// finding says why, and nothing is touched.
fn authority<'s>(installation: &Installation<'s>, decision: &mut Decision) -> Option<Location<'s>> {
    let source = installation.location(SOURCE)?;
    let label = source.label();
    match source.presence {
        Presence::Plain(_) => {}
        Presence::Placeholder => {
            decision
                .finding(
                    Severity::Error,
                    "token-is-placeholder",
                    format!("{label} holds the documentation's example, which everybody knows; nothing is touched"),
                )
                .at([source])
                .remedy("put a token of your own into the Secret, such as the output of `openssl rand -hex 32`");
            return None;
        }
        Presence::Unreadable(_) => return None,
        Presence::Absent | Presence::Empty | Presence::Reference(_) => {
            decision
                .finding(
                    Severity::Info,
                    "token-not-set",
                    format!("{label} is not set here, so this policy has nothing to go by; nothing is touched"),
                )
                .at([source])
                .remedy(format!("if it should be: is the Secret's key named {label}, and does this container get it?"));
            return None;
        }
    }
    if installation.is_ambiguous() {
        let message = "gateway.auth.token and gateway.auth.password are both set and gateway.auth.mode is not: OpenClaw does not start like that";
        decision
            .finding(Severity::Error, "auth-ambiguous", message)
            .at(installation.location(Credential::Token.auth()))
            .remedy("set gateway.auth.mode to token or password");
        return None;
    }
    if installation.mode == Mode::Remote {
        let message = "gateway.mode is remote: gateway.remote.token belongs to the other gateway and is not touched";
        decision
            .finding(Severity::Info, "remote-mode", message)
            .at(installation.location(Credential::Token.remote()));
        return None;
    }
    match installation.auth_mode() {
        AuthMode::Token => {}
        AuthMode::Password => {
            let message = "clients authenticate with a password here; a token beside it is not written, for OpenClaw refuses to start with both and no mode";
            decision
                .finding(Severity::Info, "password-mode", message)
                .at(installation.location(Credential::Password.auth()));
            return None;
        }
        AuthMode::TrustedProxy | AuthMode::Other => {
            let mode = installation.snapshot.fact("gateway.auth.mode").unwrap_or("unknown");
            let message =
                format!("gateway.auth.mode is {mode}: no token is used, and none is written");
            decision.finding(Severity::Info, "no-token-mode", message);
            return None;
        }
    }
    // The server takes what its configuration refers to. Where that is another token, or one that
    // is not known here, clients must not be given the variable's.
    let server = installation.location(Credential::Token.auth());
    if let Some(server) = server.filter(|copy| copy.reference().is_some())
        && !server.same_secret(&source)
    {
        keep_reference(source, server, decision);
        return None;
    }
    Some(source)
}

/// Makes one copy follow the source, or go.
fn follow(
    installation: &Installation<'_>,
    persist: Persist,
    source: Location<'_>,
    copy: Location<'_>,
    decision: &mut Decision,
) {
    if copy.reference().is_some() {
        return keep_reference(source, copy, decision);
    }
    let (label, truth) = (copy.label(), source.label());
    let stale = copy.is_plain() && !copy.same_secret(&source);
    let wanted = Wanted::of(installation, persist, copy, stale, decision);
    let needed = match wanted {
        Wanted::Equal => !copy.same_secret(&source),
        Wanted::Reference => true,
        Wanted::Gone => copy.is_plain(),
        Wanted::AsItIs => false,
    };
    if !needed {
        return;
    }
    if !copy.writable {
        if copy.is_plain() {
            let severity = if stale { Severity::Error } else { Severity::Warning };
            let message =
                format!("{label} should change, but the configuration cannot be written here");
            decision.finding(severity, "target-read-only", message).at([copy]).remedy(
                "make the file and its folder writable for this user, or change the copy where it is made",
            );
        }
        return;
    }
    if stale {
        let message = format!(
            "{label} holds another token than {truth}: clients that still present the old one are refused from this start on"
        );
        decision
            .finding(Severity::Warning, "token-rotated", message)
            .at([copy])
            .remedy("give the new token to clients outside this pod");
    }
    match wanted {
        Wanted::Equal => {
            decision.write_unless_equal(source, copy, format!("{label} follows {truth}"));
        }
        Wanted::Reference => {
            let reason = format!("{label} refers to {truth}, so no token is kept in the file");
            decision.refer(source, copy, reason);
        }
        Wanted::Gone => decision.remove(copy, format!("{truth} is the only copy that is kept")),
        Wanted::AsItIs => {}
    }
}

/// Says why a reference is left alone, and whether it leads where it should.
fn keep_reference(source: Location<'_>, copy: Location<'_>, decision: &mut Decision) {
    let (label, truth) = (copy.label(), source.label());
    let target = copy.reference().map_or("", |reference| reference.target);
    let mut found = |severity, code: &str, leads: &str| {
        let message = format!("{label} refers to {target}, {leads}; a reference is not replaced");
        let finding = decision.finding(severity, code, message).at([copy]);
        if severity != Severity::Info {
            finding.remedy(format!(
                "let it refer to {truth}, or see to it that {target} leads to that token"
            ));
        }
    };
    if copy.same_secret(&source) {
        found(Severity::Info, "reference-kept", "which leads to the same token");
    } else if copy.fingerprint().is_some() {
        let leads = format!("which leads to another token than {truth}");
        found(Severity::Error, "reference-differs", &leads);
    } else if copy.is_elsewhere() {
        found(Severity::Warning, "reference-kept", "which is not followed from here");
    } else {
        found(Severity::Error, "reference-unresolved", "which leads nowhere");
    }
}

/// What should become of a copy.
enum Wanted {
    Equal,
    Reference,
    Gone,
    AsItIs,
}

impl Wanted {
    fn of(
        installation: &Installation<'_>,
        persist: Persist,
        copy: Location<'_>,
        stale: bool,
        decision: &mut Decision,
    ) -> Self {
        let server = copy.name == Credential::Token.auth();
        match persist {
            Persist::Both => Self::Equal,
            Persist::RemoteOnly if !server => Self::Equal,
            // A stale copy would make the server switch to it; an equal one does no harm.
            Persist::RemoteOnly if stale => Self::Gone,
            Persist::RemoteOnly => Self::AsItIs,
            Persist::None => Self::Gone,
            Persist::Reference
                if installation.version_known
                    && installation.version >= Version::KNOWS_REFERENCES =>
            {
                Self::Reference
            }
            Persist::Reference => {
                if server {
                    decision
                        .finding(
                            Severity::Warning,
                            "reference-unsupported",
                            if installation.version_known {
                                format!(
                                    "OpenClaw {} does not take a SecretRef as gateway.auth.token; plain copies are removed instead",
                                    installation.version
                                )
                            } else {
                                "whether this OpenClaw takes a SecretRef as gateway.auth.token is not known; plain copies are removed instead".to_owned()
                            },
                        )
                        .at([copy])
                        .remedy(format!("with {} or later, say the version; else set persist to both", Version::KNOWS_REFERENCES));
                }
                Self::Gone
            }
        }
    }
}

fn today<'s>(
    snapshot: &'s Snapshot,
    resolved: &precedent_openclaw::Resolved<'_>,
) -> Option<Location<'s>> {
    match resolved.standing {
        precedent_guest::Standing::Copy(id) => snapshot.location(id),
        _ => None,
    }
}
