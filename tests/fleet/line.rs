//! A line to a member that can be cut, and that can go dead: TLS passes through as it is.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

const WHOLE: u8 = 0;
const CUT: u8 = 1;
const DEAD: u8 = 2;
const OVER: u8 = 3;

/// Listens on loopback and passes on to a port.
pub(crate) struct Line {
    port: u16,
    state: Arc<AtomicU8>,
}

impl Line {
    pub(crate) fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::port())).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(AtomicU8::new(WHOLE));
        let line = Self { port, state: state.clone() };
        listener.set_nonblocking(true).unwrap();
        thread::spawn(move || accept(&listener, target, &state));
        line
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Connections break, and new ones do too.
    pub(crate) fn cut(&self) {
        self.state.store(CUT, Ordering::SeqCst);
    }

    /// Connections stay, new ones are made, and nothing passes.
    pub(crate) fn go_dead(&self) {
        self.state.store(DEAD, Ordering::SeqCst);
    }

    /// All passes again.
    pub(crate) fn heal(&self) {
        self.state.store(WHOLE, Ordering::SeqCst);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.state.store(OVER, Ordering::SeqCst);
    }
}

fn accept(listener: &TcpListener, target: u16, state: &Arc<AtomicU8>) {
    loop {
        match state.load(Ordering::SeqCst) {
            OVER => return,
            now => match listener.accept() {
                // To drop it hangs up.
                Ok(_) if now == CUT => {}
                Ok((client, _)) => {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                    for (from, to) in [(&client, &server), (&server, &client)] {
                        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                        let state = state.clone();
                        thread::spawn(move || pass(from, to, &state));
                    }
                }
                Err(_) => thread::sleep(Duration::from_millis(5)),
            },
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: &AtomicU8) {
    from.set_nonblocking(false).unwrap();
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let _ = to.set_nodelay(true);
    let mut bytes = vec![0; 64 << 10];
    loop {
        match state.load(Ordering::SeqCst) {
            WHOLE => match from.read(&mut bytes) {
                Ok(0) => break,
                // What was read when the line went dead is lost with it.
                Ok(_) if state.load(Ordering::SeqCst) == CUT => break,
                Ok(read) => {
                    if to.write_all(&bytes[..read]).is_err() {
                        break;
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            },
            DEAD => thread::sleep(Duration::from_millis(5)),
            _ => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
