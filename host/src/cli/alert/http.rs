//! One request, and those after it where it fails.

use std::{io::ErrorKind, time::Duration};

use backon::{BlockingRetryable, ExponentialBuilder};
use ureq::Agent;
use zeroize::Zeroizing;

use super::send::Failure;

/// How long one try may take, from the look-up of the name to the answer.
const TIME: Duration = Duration::from_secs(10);
/// How long to wait before the second try; each wait is twice the one before it.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// How many tries there are after the first.
const RETRIES: usize = 3;

/// What is sent. Its URL and its headers may hold secrets, so it shows nothing of itself.
pub(crate) struct Request<'r> {
    pub(crate) url: &'r str,
    pub(crate) headers: Vec<(String, Zeroizing<String>)>,
    /// What is posted; without, it is a GET.
    pub(crate) body: Option<&'r str>,
}

/// Sends a request, and again where another try may help.
pub(crate) fn send(request: &Request<'_>) -> Result<(), Failure> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(TIME))
        // A redirect would hand the message, or the token, to somebody whom nobody named.
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("precedent/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let waits = ExponentialBuilder::default()
        .with_min_delay(FIRST_WAIT)
        .with_factor(2.0)
        .with_max_times(RETRIES);
    let attempt = || once(&agent, request);
    attempt.retry(waits).when(|failure: &Failure| failure.may_pass).call()
}

fn once(agent: &Agent, request: &Request<'_>) -> Result<(), Failure> {
    let answer = match request.body {
        None => agent.get(request.url).call(),
        Some(body) => {
            let mut post = agent.post(request.url);
            for (name, value) in &request.headers {
                post = post.header(name, value.as_str());
            }
            post.send(body)
        }
    };
    let status = answer.map_err(|error| failure(&error))?.status().as_u16();
    match status {
        200..=299 => Ok(()),
        300..=399 => Err(Failure::lasting(format!(
            "it is answered with {status}, a redirect, which is not followed; give the URL to which it leads"
        ))),
        _ => Err(Failure {
            reason: format!("it is answered with {status}"),
            may_pass: status == 429 || status >= 500,
        }),
    }
}

/// What went wrong, in words of ours: those of others may name the URL.
fn failure(error: &ureq::Error) -> Failure {
    let tls = "no encrypted connection: its certificate is not trusted, or it speaks no TLS";
    let passing = |reason: String| Failure { reason, may_pass: true };
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            Failure::lasting("its URL or its token is none that can be sent")
        }
        ureq::Error::InvalidProxyUrl => Failure::lasting("the proxy of the environment is no URL"),
        ureq::Error::Timeout(_) => passing(format!("no answer within {} seconds", TIME.as_secs())),
        ureq::Error::HostNotFound => passing("its host is not found".to_owned()),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => passing(tls.to_owned()),
        ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => passing(tls.to_owned()),
        ureq::Error::Io(error) => match error.kind() {
            kind @ (ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::UnexpectedEof) => passing(format!("no connection: {kind}")),
            // Of a name that is not known the system says no more than that.
            _ => passing("no connection, or its host is not found".to_owned()),
        },
        ureq::Error::ConnectionFailed => passing("no connection".to_owned()),
        _ => passing("what answers there is not understood".to_owned()),
    }
}
