//! `rollsnap run`: the daemon.

use std::sync::Arc;

use super::Context;
use crate::daemon::Daemon;
use crate::herald::Herald;
use crate::http::Desk;
use crate::journal::Journal;
use crate::listeners::Listeners;
use crate::report::Failure;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (desk, requests) = Desk::new(Arc::clone(&context.clock));
    let shared = Arc::clone(desk.shared());
    let herald = Arc::new(Herald::new(Arc::clone(&shared)));
    let daemon = Daemon {
        load: &|| context.settings_with_etcd(),
        clock: Arc::clone(&context.clock),
        observer: Arc::new(Listeners(vec![
            Arc::new(Journal),
            shared,
            Arc::clone(&herald) as _,
        ])),
        desk,
        herald,
        requests,
        enclosure: None,
        orders: context.orders.clone(),
    };
    Box::pin(daemon.run()).await
}
