//! What an error of the client means, and whether another member may do better.

use std::error::Error as _;

use etcd_client::Error;

use super::StoreError;

/// The way out of what etcd does not let a node do.
const ROLES: &str = "docs/fleet.md says what etcd-roles lets each node do";

/// Why a try at one member came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The store has answered: every member would say the same.
    Answer,
    /// This member did not do it, that is certain; another may.
    NotDone,
    /// The same, because one does not know the other: it will go on to be so.
    Refused,
    /// The connection broke; nobody knows whether it was done.
    Broken,
    /// It said nothing in time; nobody knows whether it was done.
    Silence,
    /// Anything else; nobody knows whether it was done.
    Unknown,
}

impl Failure {
    /// What a try at the member `name` came to.
    pub(super) fn of(name: &str, error: &Error) -> Self {
        let text = text(error);
        let at = |text: &str| format!("{name}: {text}");
        let answer = |error| Self { error, kind: Kind::Answer };
        let elsewhere = |kind, text: &str| Self { error: StoreError::Unreachable(at(text)), kind };
        let code = match error {
            Error::GRpcStatus(status) => i32::from(status.code()),
            Error::InvalidArgs(_) | Error::InvalidUri(_) => {
                return answer(StoreError::Access(at(&text)));
            }
            _ => code::UNAVAILABLE,
        };
        // Some of what etcd says has a code that says less, or something else.
        if refuses_certificate(&text) {
            let why = at(&format!(
                "it does not take this node's certificate; [fleet] certificate must be by an authority that the store trusts: {text}"
            ));
            return Self { error: StoreError::Denied(why), kind: Kind::Refused };
        }
        if text.contains("invalid peer certificate") {
            let why = format!(
                "nobody known here vouches for its certificate; [fleet] ca must be the authority that made it: {text}"
            );
            return elsewhere(Kind::Refused, &why);
        }
        let says = |what: &str| text.contains(what);
        if says("no leader")
            || says("proposal dropped")
            || says("auth store is old")
            || says("too many requests")
        {
            return elsewhere(Kind::NotDone, &text);
        }
        if says("user name is empty") {
            return answer(StoreError::Denied(
                "it knows nodes by their certificates, and was shown none".to_owned(),
            ));
        }
        match code {
            code::PERMISSION_DENIED | code::UNAUTHENTICATED => {
                answer(StoreError::Denied(format!("{text}; {ROLES}")))
            }
            code::OUT_OF_RANGE if says("compacted") => answer(StoreError::Forgotten),
            code::INVALID_ARGUMENT if says("auth") => {
                answer(StoreError::Denied(format!("{text}; {ROLES}")))
            }
            code::INVALID_ARGUMENT
            | code::NOT_FOUND
            | code::ALREADY_EXISTS
            | code::RESOURCE_EXHAUSTED
            | code::FAILED_PRECONDITION
            | code::OUT_OF_RANGE
            | code::UNIMPLEMENTED
            | code::DATA_LOSS => answer(StoreError::Failed(text)),
            // What the transport says is no answer of etcd.
            _ if says("transport error") && !says("tcp connect error") => {
                elsewhere(Kind::Broken, &text)
            }
            _ => elsewhere(Kind::Unknown, &text),
        }
    }

    /// It said nothing in time.
    pub(super) fn silence(name: &str) -> Self {
        Self {
            error: StoreError::Unreachable(format!("{name}: no answer in time")),
            kind: Kind::Silence,
        }
    }
}

/// A message that is larger than this side takes.
pub(super) fn is_too_large(error: &StoreError) -> bool {
    matches!(error, StoreError::Failed(text) if text.contains("message length too large"))
}

/// A lease that has ended, or never was.
pub(super) fn is_lease_gone(error: &StoreError) -> bool {
    matches!(error, StoreError::Failed(text) if text.contains("lease not found"))
}

/// In TLS 1.3 the member says so only after this side believes to be connected.
fn refuses_certificate(text: &str) -> bool {
    text.contains("received fatal alert")
        && ["ertificate", "UnknownCA", "AccessDenied"].iter().any(|why| text.contains(why))
}

/// What it says and why, each once: the layers repeat one another.
pub(super) fn text(error: &Error) -> String {
    let (mut text, mut source) = match error {
        Error::GRpcStatus(status) => (status.message().to_owned(), status.source()),
        Error::TransportError(error) => (error.to_string(), error.source()),
        other => (other.to_string(), None),
    };
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The codes of gRPC.
mod code {
    pub(super) const INVALID_ARGUMENT: i32 = 3;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const ALREADY_EXISTS: i32 = 6;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(super) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(super) const FAILED_PRECONDITION: i32 = 9;
    pub(super) const OUT_OF_RANGE: i32 = 11;
    pub(super) const UNIMPLEMENTED: i32 = 12;
    pub(super) const UNAVAILABLE: i32 = 14;
    pub(super) const DATA_LOSS: i32 = 15;
    pub(super) const UNAUTHENTICATED: i32 = 16;
}
