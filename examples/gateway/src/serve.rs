//! The endpoints.

use std::{io, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State, connect_info::Connected},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::get,
    serve::IncomingStream,
};
use precedent::ReloadStatus;
use serde::Serialize;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    admission::{Admission, Connection},
    follow::Gateway,
};

impl Connected<IncomingStream<'_, TcpListener>> for Connection {
    fn connect_info(_: IncomingStream<'_, TcpListener>) -> Self {
        Self::default()
    }
}

/// Serves until the process is asked to end; requests that have begun are answered.
pub(crate) async fn serve(listener: TcpListener, gateway: Arc<Gateway>) -> io::Result<()> {
    let routes = Router::new()
        .route("/session", get(session))
        .route("/status", get(status))
        .with_state(gateway)
        .into_make_service_with_connect_info::<Connection>();
    let mut terminate = signal(SignalKind::terminate())?;
    let ended = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    axum::serve(listener, routes).with_graceful_shutdown(ended).await
}

/// What a client is served under. Holds no secret: a fingerprint stands for the token.
#[derive(Debug, Serialize)]
struct Session {
    policy: String,
    generation: u64,
    from: String,
    token: String,
}

impl Session {
    fn under(admission: &Admission) -> Self {
        Self {
            policy: admission.policy.clone(),
            generation: admission.generation,
            from: admission.from.clone(),
            token: admission.token.fingerprint.to_string(),
        }
    }
}

async fn session(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
) -> Result<Json<Session>, (StatusCode, &'static str)> {
    let admission = gateway.admission();
    let presented = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = presented.and_then(|value| value.strip_prefix("Bearer "));
    if !presented.is_some_and(|token| admission.admits(token, &connection)) {
        return Err((StatusCode::UNAUTHORIZED, "the token is not this gateway's\n"));
    }
    Ok(Json(Session::under(&admission)))
}

/// Which policy decides, which one was rejected and why, and which token admits.
#[derive(Debug, Serialize)]
struct Status {
    policy: ReloadStatus,
    token: Session,
    problem: Option<String>,
}

async fn status(State(gateway): State<Arc<Gateway>>) -> Json<Status> {
    Json(Status {
        policy: gateway.reloading.status(),
        token: Session::under(&gateway.admission()),
        problem: gateway.problem(),
    })
}
