//! A snapshot that somebody asks for: from the door to the daemon, one at a time.

use std::sync::Arc;

use rollsnap_engine::SnapshotName;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::report::Failure;

/// What came of it: what `rollsnap save -o json` prints, or why it is not there or lacks something.
pub type Answer = Result<Value, Failure>;

/// Where requests come out.
pub(super) type Waiting = mpsc::Receiver<Request>;

/// One request.
pub struct Request {
    /// The name it is to have, if any was asked for.
    pub name: Option<SnapshotName>,
    /// Who waits for the answer. Nobody may be left: it is taken all the same.
    pub answer: oneshot::Sender<Answer>,
}

/// Where requests go in.
pub(super) struct Requests {
    sender: mpsc::Sender<Request>,
    one: Arc<Semaphore>,
}

/// Why a request is not taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// Another is being carried out.
    Another,
    /// The daemon stops, or reads its configuration again.
    Leaving,
}

impl Requests {
    pub(super) fn new() -> (Self, Waiting) {
        let (sender, waiting) = mpsc::channel(1);
        let one = Arc::new(Semaphore::new(1));
        (Self { sender, one }, waiting)
    }

    /// Asks for one and waits for what comes of it. A caller who hangs up changes nothing.
    pub(super) async fn ask(&self, name: Option<SnapshotName>) -> Result<Answer, Busy> {
        let permit = Arc::clone(&self.one).try_acquire_owned();
        let permit = permit.map_err(|_| Busy::Another)?;
        let (answer, heard) = oneshot::channel();
        let request = Request { name, answer };
        self.sender.try_send(request).map_err(|_| Busy::Leaving)?;
        // The next may come once this is over, whoever still waits for it.
        let over = tokio::spawn(async move {
            let answer = heard.await;
            drop(permit);
            answer
        });
        over.await.ok().and_then(Result::ok).ok_or(Busy::Leaving)
    }
}
