//! A store that fails on demand, for tests that fail each effect once.
//!
//! A good run with [`Faults::none`] counts the effects: n. Then n runs with [`Faults::at`] fail
//! each of them, in each way. Nothing is random, so a failing run can be run again.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::{
    BoxRead, ErrorKind, Location, ObjectInfo, ObjectName, ReadBack, Remark, Spool, SpoolStore,
    Store, StoreError, Tail, Terms, Ticket, Upload,
};

/// A call that changes or asks the store. What follows a growing spool is not counted: its
/// number of calls depends on who is faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// [`Store::begin`] and [`SpoolStore::spool`].
    Begin,
    /// [`Upload::write`].
    Write,
    /// [`Spool::seal`].
    Seal,
    /// [`Upload::commit`].
    Commit,
    /// [`Upload::abort`].
    Abort,
    /// [`Store::read`], [`SpoolStore::open`] and [`Spool::reader`].
    Read,
    /// [`Store::list`].
    List,
    /// [`Store::delete`].
    Delete,
    /// [`Store::resume`].
    Resume,
    /// [`Store::forget`].
    Forget,
    /// [`Store::sweep`].
    Sweep,
}

/// How an effect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It is not done, and the caller hears so.
    Fail,
    /// It is done, yet the caller hears that it failed: a lost answer.
    Lost,
    /// It is not done, and nothing is from then on: the process is dead, the store is not.
    /// Destructors still run, so what only they clean up is not left behind as a kill would.
    Crash,
}

/// What goes wrong when, and what was done so far. Clones share the count: give one to several
/// stores to number their effects together.
#[derive(Debug, Clone)]
pub struct Faults {
    plan: Option<Plan>,
    done: Arc<Mutex<Vec<Effect>>>,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    number: usize,
    fault: Fault,
    kind: ErrorKind,
}

impl Faults {
    /// Only counts.
    pub fn none() -> Self {
        Self {
            plan: None,
            done: Arc::default(),
        }
    }

    /// Fails the effect with this number (the first is 1) with an error of `kind`.
    pub fn at(number: usize, fault: Fault, kind: ErrorKind) -> Self {
        Self {
            plan: Some(Plan {
                number,
                fault,
                kind,
            }),
            done: Arc::default(),
        }
    }

    /// Every effect asked for so far, in order, the failed ones too.
    pub fn effects(&self) -> Vec<Effect> {
        self.done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many effects were asked for so far.
    pub fn count(&self) -> usize {
        self.done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Counts an effect and tells what becomes of it.
    fn enter(&self, effect: Effect, place: &Place) -> Result<Outcome, StoreError> {
        let number = {
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push(effect);
            done.len()
        };
        let Some(plan) = self.plan else {
            return Ok(Outcome::Heard);
        };
        let error = || place.error(plan.kind, format!("fault {number} on purpose ({effect:?})"));
        match plan.fault {
            Fault::Crash if number >= plan.number => Err(error()),
            Fault::Fail if number == plan.number => Err(error()),
            Fault::Lost if number == plan.number => Ok(Outcome::Lost(error())),
            _ => Ok(Outcome::Heard),
        }
    }

    /// Fails what is not counted, once the process is dead.
    fn alive(&self, place: &Place) -> Result<(), StoreError> {
        match self.plan {
            Some(plan) if plan.fault == Fault::Crash && self.count() >= plan.number => {
                Err(place.error(plan.kind, String::from("dead on purpose")))
            }
            _ => Ok(()),
        }
    }
}

/// What becomes of the answer of an effect that was done.
enum Outcome {
    Heard,
    Lost(StoreError),
}

impl Outcome {
    fn of<T>(self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        match self {
            Self::Heard => answer,
            Self::Lost(error) => answer.and(Err(error)),
        }
    }
}

/// Where a fault happens, for its message.
#[derive(Debug, Clone)]
struct Place {
    location: Location,
    object: String,
}

impl Place {
    fn error(&self, kind: ErrorKind, message: String) -> StoreError {
        let object = format!("{}/{}", self.location, self.object);
        StoreError::at(kind, "reach", object, message)
    }
}

/// A store around another that fails as planned.
#[derive(Debug, Clone)]
pub struct Faulty<S> {
    inner: S,
    faults: Faults,
}

impl<S: Store> Faulty<S> {
    /// Puts `faults` between the caller and `inner`.
    pub fn new(inner: S, faults: Faults) -> Self {
        Self { inner, faults }
    }

    /// The store behind, which never fails.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn place(&self, object: &str) -> Place {
        Place {
            location: self.inner.location().clone(),
            object: object.to_string(),
        }
    }

    fn wrap<U: ?Sized>(&self, inner: Box<U>, place: Place) -> FaultyUpload<U> {
        FaultyUpload {
            inner,
            faults: self.faults.clone(),
            place,
        }
    }
}

#[async_trait]
impl<S: Store> Store for Faulty<S> {
    fn location(&self) -> &Location {
        self.inner.location()
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        let place = self.place(name.as_str());
        let outcome = self.faults.enter(Effect::Begin, &place)?;
        let upload = outcome.of(self.inner.begin(name, terms).await)?;
        Ok(Box::new(self.wrap(upload, place)))
    }

    async fn resume(
        &self,
        name: &ObjectName,
        ticket: &Ticket,
        content: Arc<dyn ReadBack>,
    ) -> Result<Option<Box<dyn Upload>>, StoreError> {
        let place = self.place(name.as_str());
        let outcome = self.faults.enter(Effect::Resume, &place)?;
        let upload = outcome.of(self.inner.resume(name, ticket, content).await)?;
        Ok(upload.map(|upload| Box::new(self.wrap(upload, place)) as _))
    }

    async fn forget(&self, name: &ObjectName, ticket: &Ticket) -> Result<(), StoreError> {
        let place = self.place(name.as_str());
        let outcome = self.faults.enter(Effect::Forget, &place)?;
        outcome.of(self.inner.forget(name, ticket).await)
    }

    async fn sweep(
        &self,
        ours: &(dyn for<'a> Fn(&'a ObjectName) -> bool + Send + Sync),
        before: DateTime<Utc>,
    ) -> Result<Vec<ObjectName>, StoreError> {
        let outcome = self.faults.enter(Effect::Sweep, &self.place(""))?;
        outcome.of(self.inner.sweep(ours, before).await)
    }

    fn remarks(&self) -> Vec<Remark> {
        self.inner.remarks()
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        let outcome = self
            .faults
            .enter(Effect::Read, &self.place(name.as_str()))?;
        outcome.of(self.inner.read(name, range).await)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let outcome = self.faults.enter(Effect::List, &self.place(prefix))?;
        outcome.of(self.inner.list(prefix).await)
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        let outcome = self
            .faults
            .enter(Effect::Delete, &self.place(name.as_str()))?;
        outcome.of(self.inner.delete(name).await)
    }
}

#[async_trait]
impl<S: SpoolStore> SpoolStore for Faulty<S> {
    async fn spool(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Spool>, StoreError> {
        let place = self.place(name.as_str());
        let outcome = self.faults.enter(Effect::Begin, &place)?;
        let spool = outcome.of(self.inner.spool(name, terms).await)?;
        Ok(Box::new(self.wrap(spool, place)))
    }

    async fn open(&self, name: &ObjectName) -> Result<Box<dyn ReadBack>, StoreError> {
        let outcome = self
            .faults
            .enter(Effect::Read, &self.place(name.as_str()))?;
        outcome.of(self.inner.open(name).await)
    }
}

/// An upload, or a spool, that fails as planned.
struct FaultyUpload<U: ?Sized> {
    inner: Box<U>,
    faults: Faults,
    place: Place,
}

impl<U: ?Sized> FaultyUpload<U> {
    fn enter(&self, effect: Effect) -> Result<Outcome, StoreError> {
        self.faults.enter(effect, &self.place)
    }
}

#[async_trait]
impl<U: Upload + ?Sized> Upload for FaultyUpload<U> {
    fn part_size(&self) -> usize {
        self.inner.part_size()
    }

    fn written(&self) -> u64 {
        self.inner.written()
    }

    fn ticket(&self) -> Option<Ticket> {
        self.inner.ticket()
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let outcome = self.enter(Effect::Write)?;
        outcome.of(self.inner.write(bytes).await)
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo, StoreError> {
        let outcome = self.enter(Effect::Commit)?;
        outcome.of(self.inner.commit().await)
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        let outcome = self.enter(Effect::Abort)?;
        outcome.of(self.inner.abort().await)
    }
}

#[async_trait]
impl Spool for FaultyUpload<dyn Spool> {
    fn tail(&self) -> Box<dyn Tail> {
        Box::new(FaultyTail {
            inner: self.inner.tail(),
            faults: self.faults.clone(),
            place: self.place.clone(),
        })
    }

    fn reader(&self) -> Result<Box<dyn ReadBack>, StoreError> {
        let outcome = self.enter(Effect::Read)?;
        outcome.of(self.inner.reader())
    }

    async fn seal(&mut self) -> Result<(), StoreError> {
        let outcome = self.enter(Effect::Seal)?;
        outcome.of(self.inner.seal().await)
    }
}

/// A tail that dies with the process.
struct FaultyTail {
    inner: Box<dyn Tail>,
    faults: Faults,
    place: Place,
}

#[async_trait]
impl Tail for FaultyTail {
    async fn next(&mut self, size: usize) -> Result<Bytes, StoreError> {
        self.faults.alive(&self.place)?;
        let bytes = self.inner.next(size).await?;
        self.faults.alive(&self.place)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
