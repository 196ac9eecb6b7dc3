//! Callers that do not give up: each has one recording on its way or one call in the making, and when the service breaks off or asks
//! for patience, comes again. Their one invariant: what was acknowledged to them, they remember.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use api::calls::CallStatus;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::{
    client::{Client, Trouble, Way},
    program::{PATIENCE, until},
    recordings::Recording,
};

/// Between two looks at a call, as a web page takes them.
const LOOK: Duration = Duration::from_secs(1);

/// After a connection broke.
const BREATH: Duration = Duration::from_millis(50);

/// A recording of which the service said that it has it, and what it said became of it.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    pub(crate) title: String,
    pub(crate) call: Uuid,
    pub(crate) end: CallStatus,
}

/// What callers share.
struct Shared {
    /// Where the service is; `None` while it is down.
    service: watch::Sender<Option<SocketAddr>>,
    key: String,
    next: AtomicUsize,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    closing: AtomicBool,
}

/// So many callers at work.
pub(crate) struct Fleet {
    shared: Arc<Shared>,
    callers: JoinSet<Vec<Brought>>,
}

impl Fleet {
    /// Sends out callers, every third with tus.
    pub(crate) fn start(callers: usize, service: SocketAddr, key: &str) -> Self {
        let shared = Arc::new(Shared {
            service: watch::Sender::new(Some(service)),
            key: key.to_owned(),
            next: AtomicUsize::default(),
            acknowledged: AtomicUsize::default(),
            refused: AtomicUsize::default(),
            closing: AtomicBool::default(),
        });
        let work = (0..callers).map(|_| call_until_closing(Arc::clone(&shared))).collect();
        Self { shared, callers: work }
    }

    /// Says where the service is now, or that it is down.
    pub(crate) fn service_is_at(&self, address: Option<SocketAddr>) {
        self.shared.service.send_replace(address);
    }

    /// Recordings that were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// How often the service asked for patience.
    pub(crate) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Waits until so many more were acknowledged.
    pub(crate) async fn brings(&self, more: usize) {
        let enough = self.acknowledged() + more;
        until("acknowledged", async || self.acknowledged() >= enough).await;
    }

    /// Waits until the service asked for patience so many times more.
    pub(crate) async fn is_refused(&self, more: usize) {
        let enough = self.refused() + more;
        until("told to wait", async || self.refused() >= enough).await;
    }

    /// Lets every caller finish what it has, and gives all that was acknowledged.
    pub(crate) async fn close(self) -> Vec<Brought> {
        self.shared.closing.store(true, Ordering::Relaxed);
        timeout(PATIENCE, self.callers.join_all()).await.expect("calls do not come to an end").concat()
    }
}

async fn call_until_closing(shared: Arc<Shared>) -> Vec<Brought> {
    let mut caller = Caller { client: None, shared };
    let mut brought = Vec::new();
    while !caller.shared.closing.load(Ordering::Relaxed) {
        brought.push(caller.bring().await);
    }
    brought
}

struct Caller {
    shared: Arc<Shared>,
    client: Option<(SocketAddr, Client)>,
}

impl Caller {
    /// Brings a new recording, and waits for the end of its call.
    async fn bring(&mut self) -> Brought {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let recording = Recording::new(number, 1 + number % 3, 0);
        let way = if number.is_multiple_of(3) { Way::Pieces(recording.bytes() / 2) } else { Way::Form };
        let call = loop {
            let uploaded = self.client().await.upload(&recording, way).await;
            if let Some(call) = self.patiently(uploaded).await {
                break call;
            }
        };
        self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        loop {
            let progress = self.client().await.progress(&[call]).await;
            let Some(progress) = self.patiently(progress).await else { continue };
            match progress.first().map(|progress| progress.status) {
                Some(end) if end.is_terminal() => return Brought { title: recording.title, call, end },
                Some(_) => sleep(LOOK).await,
                None => panic!("{}, which was acknowledged as {call}, is lost", recording.title),
            }
        }
    }

    /// What was asked for; `None`, after a while, when it is to be asked for again.
    async fn patiently<T>(&mut self, result: Result<T, Trouble>) -> Option<T> {
        match result {
            Ok(done) => return Some(done),
            Err(Trouble::Lost) => {
                self.client = None;
                sleep(BREATH).await;
            }
            Err(Trouble::Refused(answer)) => {
                // 409: the request that broke off may still be served.
                assert!([503, 409].contains(&answer.status.as_u16()), "{answer}");
                let wait = answer.headers.get("retry-after");
                let wait = wait.unwrap_or_else(|| panic!("it does not say when to come again: {answer}"));
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(wait.to_str().unwrap().parse().unwrap())).await;
            }
        }
        None
    }

    async fn client(&mut self) -> &mut Client {
        let mut service = self.shared.service.subscribe();
        let at = service.wait_for(Option::is_some).await.unwrap().unwrap();
        if self.client.as_ref().is_none_or(|(address, _)| *address != at) {
            self.client = Some((at, Client::new(at, &self.shared.key)));
        }
        &mut self.client.as_mut().unwrap().1
    }
}
