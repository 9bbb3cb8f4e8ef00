//! `rollsnap run`: the daemon.

use std::sync::Arc;

use super::Context;
use crate::daemon::Daemon;
use crate::journal::Journal;
use crate::report::Failure;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let daemon = Daemon {
        load: &|| context.settings_with_etcd(),
        clock: Arc::clone(&context.clock),
        observer: Arc::new(Journal),
        orders: context.orders.clone(),
    };
    daemon.run().await
}
