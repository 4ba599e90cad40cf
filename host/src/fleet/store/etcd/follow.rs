//! Waiting for changes, without a gap.
//!
//! A watch stays open between two calls that go on from one another. One that etcd has caught up with does not
//! depend on what it keeps of the past, so a quiet watch survives that the past is thrown away. Opened anew it
//! begins after the last change that was told, or after the last moment of which etcd said that nothing was
//! before it.
//!
//! INVARIANT: `upto` moves to the revision of an event, of which all that happened in the same transaction comes
//! in one message (that is why messages are not split), or to that of a progress notification, which etcd sends
//! to a watch only after everything before it. It does not move to the revision in the head of any other message:
//! that is how far the store is, and not how far the watch is. Nor is progress asked for: older releases, as Debian's
//! 3.4.23, answer that with events still on their way (etcd-io/etcd#15220).

use etcd_client::{Client, Error, Event, EventType, GetOptions, WatchOptions, WatchStream};
use tokio::time::{Duration, Instant, sleep, timeout, timeout_at};

use super::{
    Change, Changes, MOST_MESSAGE, Revision, StoreError, entry, failure::is_too_large,
    members::Members, revision, text_of,
};

/// More messages than these are for the next call.
const MOST_AT_ONCE: usize = 64;
/// Before a watch that broke is opened again.
const PAUSE: Duration = Duration::from_millis(50);

/// A watch, and what it has told.
pub(super) struct Following {
    pub(super) prefix: String,
    pub(super) upto: Revision,
    stream: WatchStream,
    /// Of the member that it is open at.
    turn: usize,
}

/// What came of opening a watch.
enum Opened {
    /// It is open. The store was at this revision then.
    Open(Box<WatchStream>, Revision),
    Refused(StoreError),
}

/// What a message said.
enum Said {
    Changes(Vec<Change>),
    Nothing,
    Over(StoreError),
}

impl Members {
    /// What happened after a moment, and the watch to go on with.
    pub(super) async fn follow(
        &self,
        open: Option<Following>,
        prefix: String,
        after: Revision,
        time: Duration,
    ) -> (Result<Changes, StoreError>, Option<Following>) {
        let until = Instant::now() + time;
        let mut open = open;
        let mut upto = after;
        loop {
            let mut following = match open.take() {
                Some(following) => following,
                None => match self.open(&prefix, upto).await {
                    Ok(following) => following,
                    Err(error) => return (Err(error), None),
                },
            };
            let said = timeout_at(until, following.next()).await;
            upto = following.upto;
            match said {
                Err(_) => {
                    return (Ok(Changes { changes: Vec::new(), revision: upto }), Some(following));
                }
                Ok(Ok(Said::Nothing)) => open = Some(following),
                Ok(Ok(Said::Over(error))) => return (Err(error), None),
                Ok(Ok(Said::Changes(changes))) => return following.with_more(changes).await,
                // Larger than this side takes: who lists anew gets it in pages.
                Ok(Err(error)) if self.is_too_large(&error) => {
                    return (Err(StoreError::Forgotten), None);
                }
                Ok(Err(_)) => {
                    self.pass(following.turn);
                    if Instant::now() >= until {
                        return (Ok(Changes { changes: Vec::new(), revision: upto }), None);
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn is_too_large(&self, error: &Error) -> bool {
        is_too_large(&super::failure::Failure::of("", error).error)
    }

    async fn open(&self, prefix: &str, upto: Revision) -> Result<Following, StoreError> {
        let opened = self.ask(|client| {
            let turn = self.turn();
            async move { Ok((turn, open(client, prefix, upto).await?)) }
        });
        let (stream, turn) = match opened.await? {
            (turn, Opened::Open(stream, now)) => {
                // The member may be behind. Or the store was set back, and a watch for what comes after a moment
                // that it has not reached would pass over what happens until then.
                if now < upto && self.revision(prefix).await? < upto {
                    return Err(StoreError::Forgotten);
                }
                (*stream, turn)
            }
            (_, Opened::Refused(error)) => return Err(error),
        };
        Ok(Following { prefix: prefix.to_owned(), upto, stream, turn })
    }

    async fn revision(&self, prefix: &str) -> Result<Revision, StoreError> {
        let answer = self.ask(|mut client| async move {
            client.get(prefix, Some(GetOptions::new().with_prefix().with_count_only())).await
        });
        let answer = answer.await?;
        Ok(answer.header().map_or(0, |header| revision(header.revision())))
    }
}

async fn open(client: Client, prefix: &str, upto: Revision) -> Result<Opened, Error> {
    let start = i64::try_from(upto).unwrap_or(i64::MAX).saturating_add(1);
    let options =
        WatchOptions::new().with_prefix().with_start_revision(start).with_progress_notify();
    let mut client = client.watch_client().max_decoding_message_size(MOST_MESSAGE);
    let mut stream = client.watch(prefix, Some(options)).await?;
    loop {
        let Some(message) = stream.message().await? else {
            return Err(Error::WatchError("the watch ended before it began".to_owned()));
        };
        if message.canceled() {
            let why = canceled(message.compact_revision(), message.cancel_reason());
            return match why {
                StoreError::Unreachable(why) => Err(Error::WatchError(why)),
                why => Ok(Opened::Refused(why)),
            };
        }
        // INVARIANT: before this no event comes.
        if message.created() {
            let now = message.header().map_or(0, |header| revision(header.revision()));
            return Ok(Opened::Open(Box::new(stream), now));
        }
    }
}

fn canceled(compacted: i64, why: &str) -> StoreError {
    if compacted > 0 {
        StoreError::Forgotten
    } else if why.contains("permission denied") || why.contains("PermissionDenied") {
        StoreError::Denied(why.to_owned())
    } else {
        StoreError::Unreachable(format!("the watch was canceled: {why}"))
    }
}

impl Following {
    /// The next message. Nothing is lost where this is dropped before it is done.
    async fn next(&mut self) -> Result<Said, Error> {
        let Some(message) = self.stream.message().await? else {
            return Err(Error::WatchError("the watch ended".to_owned()));
        };
        if message.canceled() {
            return Ok(match canceled(message.compact_revision(), message.cancel_reason()) {
                StoreError::Unreachable(why) => return Err(Error::WatchError(why)),
                why => Said::Over(why),
            });
        }
        if message.events().is_empty() {
            if !message.created()
                && let Some(header) = message.header()
            {
                self.upto = self.upto.max(revision(header.revision()));
            }
            return Ok(Said::Nothing);
        }
        let mut changes = Vec::new();
        for event in message.events() {
            match change(event) {
                Ok(Some((at, change))) => {
                    self.upto = self.upto.max(at);
                    changes.push(change);
                }
                Ok(None) => {}
                Err(error) => return Ok(Said::Over(error)),
            }
        }
        Ok(Said::Changes(changes))
    }

    /// These changes, and what else is there already.
    async fn with_more(
        mut self,
        mut changes: Vec<Change>,
    ) -> (Result<Changes, StoreError>, Option<Self>) {
        for _ in 0..MOST_AT_ONCE {
            match timeout(Duration::ZERO, self.next()).await {
                Ok(Ok(Said::Changes(more))) => changes.extend(more),
                Ok(Ok(Said::Nothing)) => {}
                Err(_) => break,
                // The next call sees for itself.
                Ok(Ok(Said::Over(_)) | Err(_)) => {
                    return (Ok(Changes { changes, revision: self.upto }), None);
                }
            }
        }
        (Ok(Changes { changes, revision: self.upto }), Some(self))
    }
}

fn change(event: &Event) -> Result<Option<(Revision, Change)>, StoreError> {
    let Some(kv) = event.kv() else { return Ok(None) };
    let change = match event.event_type() {
        EventType::Put => Change::Put(entry(kv)?),
        EventType::Delete => Change::Removed(text_of(kv.key())),
    };
    Ok(Some((revision(kv.mod_revision()), change)))
}
