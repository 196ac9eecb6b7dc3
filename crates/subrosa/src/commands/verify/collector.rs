//! Takes what a service sends out about itself: spans for a collector of OpenTelemetry, reports of errors. Its one invariant: nothing is
//! kept but the bytes, up to a limit, until they are searched.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// Bytes that are kept: a run sends some hundred kilobytes.
const MOST: u64 = 64 << 20;

/// Bytes of the head of a request.
const MOST_HEAD: u64 = 64 << 10;

/// How long a sender may pause.
const PAUSE: Duration = Duration::from_secs(10);

/// Listens on a port of this machine until the program ends.
pub(super) struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, received) = (listener.local_addr()?, Arc::default());
        let keep = Arc::clone(&received);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let keep = Arc::clone(&keep);
                thread::spawn(move || take(&connection, &keep));
            }
        });
        Ok(Self { address, received })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came so far.
    pub(super) fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes requests of a connection, one after the other.
fn take(connection: &TcpStream, keep: &Mutex<Vec<u8>>) -> io::Result<()> {
    connection.set_read_timeout(Some(PAUSE))?;
    let mut reader = BufReader::new(connection);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let from = head.len();
            if reader.by_ref().take(MOST_HEAD).read_line(&mut head)? == 0 || head.len() as u64 > MOST_HEAD {
                return Ok(());
            }
            let line = head[from..].trim().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(said) = line.strip_prefix("content-length:") {
                length = said.trim().parse().unwrap_or(0);
            }
        }
        let mut body = Vec::new();
        reader.by_ref().take(u64::min(length, MOST)).read_to_end(&mut body)?;
        let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
        if (kept.len() + head.len() + body.len()) as u64 <= MOST {
            kept.extend(head.into_bytes());
            kept.extend(body);
        }
        drop(kept);
        (&*connection).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}
