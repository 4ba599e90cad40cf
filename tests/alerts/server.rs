//! A server that remembers what it is asked.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// More than any test takes.
const LONG: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(5);

/// A request that was made.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    /// By names in small letters.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// A server on this machine, until it is dropped.
pub(super) struct Server {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    holds: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// One that takes everything.
    pub(super) fn new() -> Self {
        Self::answering(&[])
    }

    /// One that answers with these, a status and headers, and takes everything after.
    pub(super) fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut answers: VecDeque<String> = answers.iter().map(ToString::to_string).collect();
        let (asked, holds, is_over) =
            (Arc::<Mutex<Vec<Asked>>>::default(), Arc::default(), Arc::<AtomicBool>::default());
        let (remember, held, ended) =
            (Arc::clone(&asked), Arc::<AtomicBool>::clone(&holds), Arc::clone(&is_over));
        let until = Instant::now() + LONG;
        let thread = thread::spawn(move || {
            let goes_on = || !ended.load(Ordering::SeqCst) && Instant::now() < until;
            while goes_on() {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(PAUSE);
                    continue;
                };
                let Some(request) = read(&stream) else { continue };
                remember.lock().unwrap().push(request);
                while held.load(Ordering::SeqCst) && goes_on() {
                    thread::sleep(PAUSE);
                }
                let answer = answers.pop_front().unwrap_or_else(|| "200 OK".to_owned());
                let answer =
                    format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { address, asked, holds, is_over, thread: Some(thread) }
    }

    /// A URL of it, which is a secret.
    pub(super) fn url(&self) -> String {
        format!("http://{}/canary-hook", self.address)
    }

    /// What it was asked since the last time.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// The one thing that it was asked since the last time.
    pub(super) fn one(&self) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.pop().unwrap()
    }

    /// Lets nobody have an answer.
    pub(super) fn hold(&self) {
        self.holds.store(true, Ordering::SeqCst);
    }

    pub(super) fn release(&self) {
        self.holds.store(false, Ordering::SeqCst);
    }

    /// Waits until it is asked something.
    pub(super) fn is_asked(&self) {
        let until = Instant::now() + LONG;
        while self.asked.lock().unwrap().is_empty() {
            assert!(Instant::now() < until, "it is never asked");
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_some_and(|ended| ended.is_ok()), "it panicked");
    }
}

/// A URL at which nobody is, any more.
pub(super) fn nobody() -> String {
    Server::new().url()
}

fn read(stream: &TcpStream) -> Option<Asked> {
    // On some systems it is what the listener is.
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(ToOwned::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, path, headers, body: String::from_utf8(body).ok()? })
}
