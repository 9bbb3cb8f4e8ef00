//! What retention would do to both stores by the settings: one plan for the verb that carries it
//! out, the board and the page.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rollsnap_engine::Catalog;
use rollsnap_engine::debt::{Debt, Namesakes};
use rollsnap_engine::manifest::Method;
use rollsnap_engine::retention::{Ages, Guard, PruneForeign, Retention, Verdict};

use crate::config::Settings;

/// What is wanted of the snapshots.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    retention: Retention,
    foreign: PruneForeign,
    namesakes: Namesakes,
    /// How deep each is verified.
    pub demand: Method,
    limit: Duration,
}

/// What would become of the snapshots of each store.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    /// In the directory.
    pub here: Vec<Verdict>,
    /// In the bucket.
    pub there: Vec<Verdict>,
}

impl Rules {
    /// Those that are configured.
    pub fn of(settings: &Settings) -> Self {
        let schedule = &settings.schedule;
        let retention = schedule.retention.value;
        Self {
            retention,
            foreign: schedule.prune_foreign.value,
            namesakes: settings.namesakes,
            demand: settings.making.verify.value,
            limit: retention.span(schedule.when.value.longest()),
        }
    }

    /// What retention would do now with what `guard` owns. What the bucket is owed stays here.
    pub fn plans(
        &self,
        guard: Guard,
        here: &Catalog,
        there: Option<&Catalog>,
        now: DateTime<Utc>,
    ) -> Plans {
        let (retention, demand) = (&self.retention, self.demand);
        let plan = |catalog: &Catalog, foreign| {
            retention.plan(&catalog.entries, guard, demand, now, Ages::Trusted, foreign)
        };
        let mut plans = Plans {
            here: plan(here, self.foreign.here(self.limit)),
            there: Vec::new(),
        };
        if let Some(there) = there {
            let debt = self.debt(guard, here, there);
            debt.hold_back(&mut plans.here, retention.count());
            plans.there = plan(there, self.foreign.there(self.limit));
        }
        plans
    }

    /// What the bucket lacks of the directory.
    pub fn debt<'a>(&self, guard: Guard, here: &'a Catalog, there: &'a Catalog) -> Debt<'a> {
        Debt {
            here,
            there,
            guard,
            demand: self.demand,
            namesakes: self.namesakes,
        }
    }
}
