//! The members of etcd, asked one after the other until one answers.
//!
//! The client could spread calls over all endpoints by itself. It goes on to send calls to those that are dead,
//! and to wait for those that hang, so each member has a client of its own here.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use etcd_client::{Client, Error, GetOptions, Txn, TxnResponse};
use tokio::time::{Instant, sleep, timeout};

use super::{
    EtcdAccess, StoreError,
    access::access,
    failure::{Failure, Kind},
};

/// How long a member that answered counts as one that does.
const PROVEN: Duration = Duration::from_secs(1);
/// After the first round over all members, of which none did; it grows with each.
const PAUSE: Duration = Duration::from_millis(50);
/// How many times that at most.
const LONGEST: u32 = 8;
/// A write that is on its way when a leader dies gets no answer however long one waits. So long at least, as disks
/// may be slow.
const WRITE: Duration = Duration::from_secs(2);

/// All members, and whose turn it is.
pub(super) struct Members {
    members: Vec<Member>,
    /// Counts on at each failure; the member is the remainder.
    turn: AtomicUsize,
    /// When the member of that turn last answered.
    proven: Mutex<Option<(usize, Instant)>>,
    pub(super) time: Duration,
    share: Duration,
    write: Duration,
}

struct Member {
    name: String,
    client: Client,
}

impl Members {
    /// Reaches nobody yet: a node may begin before the store does.
    pub(super) async fn new(to: &EtcdAccess) -> Result<Self, StoreError> {
        let options = to.options()?;
        let mut members = Vec::new();
        for endpoint in &to.endpoints {
            let client = Client::connect([endpoint.as_str()], Some(options.clone())).await;
            let client = client.map_err(|error| to.unfit(endpoint, &error))?;
            members.push(Member { name: endpoint.clone(), client });
        }
        Ok(Self {
            members,
            turn: AtomicUsize::new(0),
            proven: Mutex::new(None),
            time: to.time,
            share: to.share(),
            write: to.share().max(WRITE),
        })
    }

    /// The endpoints.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// Asks what may be asked twice, until a member answers or the time is over.
    pub(super) async fn ask<T, F>(&self, call: impl Fn(Client) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let until = Instant::now() + self.time;
        self.ask_until(until, call).await
    }

    async fn ask_until<T, F>(
        &self,
        until: Instant,
        call: impl Fn(Client) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut heard = Heard::default();
        for tries in 1.. {
            let (turn, member) = self.member()?;
            let left = until.saturating_duration_since(Instant::now());
            let failure = match timeout(left.min(self.share), call(member.client.clone())).await {
                Ok(Ok(answer)) => {
                    self.prove(turn);
                    return Ok(answer);
                }
                Ok(Err(error)) => Failure::of(&member.name, &error),
                Err(_) => Failure::silence(&member.name),
            };
            if failure.kind == Kind::Answer {
                self.prove(turn);
                return Err(failure.error);
            }
            self.pass(turn);
            heard.silent |= failure.kind == Kind::Silence && left >= self.share;
            heard.note(&member.name, failure);
            if heard.refused_by.len() >= self.members.len() || Instant::now() >= until {
                return Err(heard.tell());
            }
            if tries % self.members.len() == 0 {
                let rounds = u32::try_from(tries / self.members.len()).unwrap_or(u32::MAX);
                let left = until.saturating_duration_since(Instant::now());
                sleep((PAUSE * rounds.min(LONGEST)).min(left)).await;
            }
        }
        Err(StoreError::Failed("it was asked for ever".to_owned()))
    }

    /// Writes once: only what certainly was not done is tried again.
    pub(super) async fn write(&self, key: &str, txn: &Txn) -> Result<TxnResponse, StoreError> {
        let until = Instant::now() + self.time;
        loop {
            self.find(key, until).await?;
            let (turn, member) = self.member()?;
            let left = until.saturating_duration_since(Instant::now());
            let mut client = member.client.clone();
            let failure = match timeout(left.min(self.write), client.txn(txn.clone())).await {
                Ok(Ok(answer)) => {
                    self.prove(turn);
                    return Ok(answer);
                }
                Ok(Err(error)) => Failure::of(&member.name, &error),
                Err(_) => Failure::silence(&member.name),
            };
            if failure.kind != Kind::Answer {
                self.pass(turn);
            }
            let undone = matches!(failure.kind, Kind::NotDone | Kind::Refused);
            if !undone || Instant::now() >= until {
                return Err(failure.error);
            }
            sleep(PAUSE).await;
        }
    }

    /// Sees to it that it is the turn of a member that can write: a write that gets no answer cannot be
    /// repeated elsewhere, but a read can.
    async fn find(&self, key: &str, until: Instant) -> Result<(), StoreError> {
        if self.is_proven() {
            return Ok(());
        }
        let read = self.ask_until(until, |mut client| async move {
            client.get(key, Some(GetOptions::new().with_count_only())).await
        });
        match read.await {
            // Whoever says that this node may not read there has asked the others first.
            Err(StoreError::Denied(_)) if self.is_proven() => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    fn member(&self) -> Result<(usize, &Member), StoreError> {
        let turn = self.turn.load(Ordering::Relaxed);
        let member = turn.checked_rem(self.members.len()).and_then(|at| self.members.get(at));
        Ok((turn, member.ok_or_else(|| access("no endpoint of etcd is given"))?))
    }

    /// The turn goes on, unless another call has passed it on already.
    pub(super) fn pass(&self, turn: usize) {
        let next = turn.wrapping_add(1);
        let _ = self.turn.compare_exchange(turn, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whose turn it is.
    pub(super) fn turn(&self) -> usize {
        self.turn.load(Ordering::Relaxed)
    }

    fn prove(&self, turn: usize) {
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = Some((turn, Instant::now()));
    }

    fn is_proven(&self) -> bool {
        let proven = *self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven.is_some_and(|(turn, when)| turn == self.turn() && when.elapsed() < PROVEN)
    }
}

/// What was heard in vain of all members, in one call.
#[derive(Default)]
struct Heard<'a> {
    /// Who refuses, or is refused. Where all do, it is no use to go on; one may have old certificates.
    refused_by: BTreeSet<&'a str>,
    refusal: Option<StoreError>,
    other: Option<StoreError>,
    silence: Option<StoreError>,
    /// That one said nothing though it had the time: at the end one that would have answered may not have had it.
    silent: bool,
    /// That connections broke, and nothing else but refusals.
    broken: bool,
}

impl<'a> Heard<'a> {
    fn note(&mut self, name: &'a str, failure: Failure) {
        match failure.kind {
            Kind::Refused => {
                self.refused_by.insert(name);
                self.refusal = Some(failure.error);
            }
            Kind::Silence => self.silence = Some(failure.error),
            Kind::Broken => {
                self.broken |= self.other.is_none();
                self.other = Some(failure.error);
            }
            Kind::Answer | Kind::NotDone | Kind::Unknown => {
                self.broken = false;
                self.other = Some(failure.error);
            }
        }
    }

    /// The one thing that tells most.
    fn tell(self) -> StoreError {
        // A member that refuses hangs up, and now and then one hears only that.
        let refused = self.other.is_none() || self.broken;
        let refusal = self.refusal.filter(|_| refused && !self.silent);
        refusal
            .or(self.other)
            .or(self.silence)
            .unwrap_or_else(|| StoreError::Unreachable("nobody was asked".to_owned()))
    }
}
