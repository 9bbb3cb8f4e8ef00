//! `rollsnap delete NAME`: one snapshot and its manifest, and nothing whose name only begins so.

use rollsnap_engine::catalog::Reader;
use rollsnap_engine::{Kind, SnapshotName, prune};
use rollsnap_store::Store;
use serde::Serialize;

use super::Context;
use crate::assembly;
use crate::cli::Side;
use crate::output;
use crate::report::Failure;

#[derive(Serialize)]
struct Report {
    name: String,
    /// The stores that it was deleted from.
    deleted_from: Vec<String>,
}

pub(super) async fn run(context: &Context, name: &str, from: Side) -> Result<(), Failure> {
    let name = SnapshotName::new(name)?;
    let settings = context.settings()?;
    let local = assembly::local_to_read(&settings)?;
    let remote = match from {
        Side::Local => None,
        Side::Remote => Some(assembly::remote_needed(&settings)?),
        Side::Everywhere => assembly::remote(&settings)?,
    };
    let aside = local.quarantine();
    let mut stores: Vec<&dyn Store> = Vec::new();
    if from != Side::Remote {
        stores.extend([&local as &dyn Store, &aside]);
    }
    stores.extend(remote.as_deref());

    let mut deleted_from = Vec::new();
    for store in &stores {
        let catalog = Reader::default().read(*store).await?;
        if let Some(entry) = catalog.find(&name) {
            prune::delete(*store, &entry.name, entry.codec).await?;
            deleted_from.push(store.location().to_string());
        }
    }
    if deleted_from.is_empty() {
        let places: Vec<_> = stores
            .iter()
            .filter(|store| store.location() != aside.location())
            .map(|store| store.location().to_string())
            .collect();
        let message = format!(
            "delete {name}: there is no such snapshot in {}",
            places.join(" or ")
        );
        return Err(Failure::new(Kind::Usage, message).with_hint("rollsnap list shows all names"));
    }
    let report = Report {
        name: name.to_string(),
        deleted_from,
    };
    output::tell(context.format, &report, || {
        format!(
            "deleted {name} from {}\n",
            report.deleted_from.join(" and ")
        )
    })
}
