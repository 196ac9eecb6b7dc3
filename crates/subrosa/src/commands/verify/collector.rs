//! Takes what a service sends out about itself: spans for a collector of OpenTelemetry, reports of errors. Its one invariant: what came is
//! kept until it is searched, or it is known that something of it was not.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Bytes that are kept: a run sends some hundred kilobytes.
const MOST: u64 = 64 << 20;

/// Bytes of the head of a request.
const MOST_HEAD: u64 = 64 << 10;

/// How long a sender may pause.
const PAUSE: Duration = Duration::from_secs(10);

/// Any free port of this machine.
pub(super) const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Listens until the program ends.
pub(super) struct Collector {
    address: SocketAddr,
    taken: Arc<Taken>,
}

#[derive(Default)]
struct Taken {
    bytes: Mutex<Vec<u8>>,
    missed: AtomicBool,
}

impl Collector {
    pub(super) fn start(at: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(at)?;
        let (address, taken) = (listener.local_addr()?, Arc::<Taken>::default());
        let keep = Arc::clone(&taken);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let keep = Arc::clone(&keep);
                thread::spawn(move || {
                    if take(&connection, &keep).is_err() {
                        keep.missed.store(true, Ordering::Relaxed);
                    }
                });
            }
        });
        Ok(Self { address, taken })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came so far.
    pub(super) fn received(&self) -> Vec<u8> {
        self.taken.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether something came that is not among it: too much, or not framed by a length, or cut off.
    pub(super) fn has_missed(&self) -> bool {
        self.taken.missed.load(Ordering::Relaxed)
    }
}

/// Takes requests of a connection, one after the other.
fn take(connection: &TcpStream, keep: &Taken) -> io::Result<()> {
    connection.set_read_timeout(Some(PAUSE))?;
    let mut reader = BufReader::new(connection);
    loop {
        let (mut head, mut length) = (String::new(), None);
        loop {
            let from = head.len();
            match reader.by_ref().take(MOST_HEAD).read_line(&mut head) {
                // The end of a connection that sent nothing more, or that waits for a next time.
                Ok(0) if head.is_empty() => return Ok(()),
                Err(error) if head.is_empty() && is_pause(&error) => return Ok(()),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) if head.len() as u64 > MOST_HEAD => return Err(io::ErrorKind::FileTooLarge.into()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
            let line = head[from..].trim().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(said) = line.strip_prefix("content-length:") {
                length = said.trim().parse::<u64>().ok();
            }
        }
        let length = length.filter(|length| *length <= MOST).ok_or(io::ErrorKind::InvalidData)?;
        let mut body = Vec::new();
        if reader.by_ref().take(length).read_to_end(&mut body)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut kept = keep.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if (kept.len() + head.len() + body.len()) as u64 > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        kept.extend(head.into_bytes());
        kept.extend(body);
        drop(kept);
        (&*connection).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use server::verify::{
        needles::{Needle, word},
        search::{Search, Searched},
    };

    use super::*;

    /// Sends it, and waits for the answer or the end.
    fn send(collector: &Collector, request: &[u8]) -> Vec<u8> {
        let mut connection = TcpStream::connect(collector.address()).unwrap();
        connection.write_all(request).unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_word_that_a_service_reports_is_found_in_what_came() {
        let (collector, word) = (Collector::start(ANYWHERE).unwrap(), word());
        let body = format!(r#"{{"message":"{word}"}}"#);
        let report = format!("POST /api/1/envelope/ HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let answer = send(&collector, [report.as_bytes(), report.as_bytes()].concat().as_slice());
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        let mut searched = Searched::default();
        let search = Search::new([&Needle::text("title", &word)]).unwrap();
        search.stream("reports", &collector.received()[..], &mut searched).unwrap();
        assert_eq!((searched.hits["title"].count, collector.has_missed()), (2, false));
    }

    #[test]
    fn what_cannot_be_kept_is_known_to_be_missing() {
        let too_much = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", MOST + 1);
        for request in [
            &b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n4\r\nword\r\n0\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nword",
            b"POST / HTTP/1.1\r\ncontent-le",
            too_much.as_bytes(),
        ] {
            let collector = Collector::start(ANYWHERE).unwrap();
            assert_eq!(send(&collector, request), b"");
            assert!(collector.has_missed());
        }
        let collector = Collector::start(ANYWHERE).unwrap();
        assert_eq!(send(&collector, b""), b"");
        assert!(!collector.has_missed());
    }
}
