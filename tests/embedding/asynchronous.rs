//! The same from tokio: what is dropped goes on to its end.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use precedent::{AsyncHost, model::Phase};
use tokio::runtime::{Builder, Runtime};

use super::{builder, records};
use crate::support::{NEW, OLD, Sandbox};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

/// Every stage, and all at once.
#[test]
fn each_stage_waits_for_no_thread() {
    let sandbox = Sandbox::stale_remote();
    let host = AsyncHost::from(builder(&sandbox).0.build().unwrap());
    runtime().block_on(async {
        let observed = host.observe(Phase::Start).await.unwrap();
        let snapshot = Arc::new(observed.snapshot.clone());
        let decision = host.decide(snapshot).await.unwrap().unwrap();
        let proposal = Arc::new(host.plan(observed).await.unwrap());
        assert_eq!(proposal.decision(), Some(&decision));
        assert_eq!(host.apply(Arc::clone(&proposal)).await.unwrap().changes.len(), 2);
        assert!(host.propose(Phase::Start).await.unwrap().is_in_order());
        assert!(host.reconcile(Phase::Start).await.unwrap().outcome.changes.is_empty());
        assert_eq!(host.blocking().deployment().name, "openclaw");
    });
    assert_eq!(sandbox.config_text().matches(NEW).count(), 2);
}

/// A future that is dropped while its run is at work, at any moment: the run ends, whole, and is recorded.
#[test]
fn dropped_at_any_moment() {
    let sandbox = Sandbox::stale_remote();
    let stale = sandbox.config_text();
    let (builder, told) = builder(&sandbox);
    let host = AsyncHost::from(builder.wait(Duration::from_secs(60)).build().unwrap());
    let runtime = runtime();
    let mut written = 0;
    for round in 0..20_u64 {
        std::fs::write(sandbox.config(), &stale).unwrap();
        {
            let _entered = runtime.enter();
            let mut run = pin!(host.reconcile(Phase::Start));
            let polled = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Pending), "{polled:?}");
            // From before it has begun to after it is done.
            thread::sleep(Duration::from_millis(round * round));
        }
        // What is being written goes on to its end; what has not come so far writes nothing any more.
        drop(host.blocking().installation().turn(Phase::Start).unwrap());
        let config = sandbox.config_text();
        if config != stale {
            assert_eq!(config.matches(NEW).count(), 2, "{config}");
            assert!(!config.contains(OLD));
            written += 1;
        }
    }
    drop(runtime);
    assert_eq!(records(&sandbox).len(), written, "{:?}", told.all());
    println!("{written} of 20 were written");
}

/// After the runtime is gone nothing is begun.
#[test]
fn nothing_is_begun_without_a_runtime() {
    let sandbox = Sandbox::stale_remote();
    let host = AsyncHost::from(builder(&sandbox).0.build().unwrap());
    let gone = runtime();
    let handle = gone.handle().clone();
    gone.shutdown_background();
    let error = {
        let _entered = handle.enter();
        let mut run = pin!(host.reconcile(Phase::Start));
        match run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result.unwrap_err(),
            Poll::Pending => panic!("it waits for a runtime that is gone"),
        }
    };
    assert!(error.to_string().contains("nothing was begun"), "{error}");
    assert!(sandbox.config_text().contains(OLD));
}
