//! One verb, one file. Here: what comes before and after every one of them.

mod board;
mod check;
mod config;
mod copy;
mod coverage;
mod delete;
mod drill;
mod hashkv;
pub(crate) mod list;
mod look;
mod opened;
mod operand;
mod preview;
pub(crate) mod progress;
mod prune;
mod question;
mod restore;
mod rke;
mod run;
pub(crate) mod save;
mod status;
pub mod verify;
mod version;

use std::process::ExitCode;
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use rollsnap_engine::tended::Tended;
use rollsnap_engine::{Clock, Kind, SystemClock};
use rollsnap_store::Store;
use tokio::sync::Mutex;

use crate::argv;
use crate::assembly;
use crate::cli::times::Times;
use crate::cli::{self, Invocation, Verb};
use crate::config::options::Id;
use crate::config::{Disk, Environment, Flags, Inputs, Log, LogFormat, Settings};
use crate::journal;
use crate::output::{self, Format};
use crate::report::Failure;
use crate::signals::Orders;
use crate::telemetry::{self, Verbosity};

/// How long blocking calls may still run after the end of a command that was forced.
const LINGER: Duration = Duration::from_millis(200);

/// How long the aborts of uploads may take after a stop.
const ABORT: Duration = Duration::from_secs(3);

/// What a verb may use.
pub(crate) struct Context {
    flags: Flags,
    pub(crate) environment: Environment,
    format: Format,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) orders: Orders,
    /// The bucket of a verb that uploads.
    tended: OnceLock<Tended>,
    /// That a bucket whose certificate is not checked was warned of.
    warned: Once,
    /// Held while something is done that is not dropped at a stop, but ends by itself and tells how.
    last_word: Mutex<()>,
}

impl Context {
    /// From here on signals are heard.
    pub(crate) fn new(
        flags: Flags,
        environment: Environment,
        format: Format,
    ) -> Result<Self, Failure> {
        let orders = Orders::listen()
            .map_err(|error| Failure::new(Kind::Bug, format!("listen for signals: {error}")))?;
        Ok(Self {
            flags,
            environment,
            format,
            clock: Arc::new(SystemClock),
            orders,
            tended: OnceLock::new(),
            warned: Once::new(),
            last_word: Mutex::default(),
        })
    }

    /// Waits until the uploads of a stopped verb are aborted, at most for the time that they have.
    pub(crate) async fn rest(&self) {
        if let Some(tended) = self.tended.get() {
            tended.rest(ABORT).await;
        }
    }

    /// A bucket whose uploads are aborted, and waited for, if the verb is stopped.
    pub(crate) fn tend(&self, bucket: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(self.tended.get_or_init(|| Tended::new(bucket)).clone())
    }

    pub(crate) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            flags: &self.flags,
            environment: &self.environment,
            files: &Disk,
        }
    }

    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Ok(self.warning_once(Settings::resolve(self.inputs())?))
    }

    /// For a verb that asks etcd.
    pub(crate) fn settings_with_etcd(&self) -> Result<Settings, Failure> {
        Ok(self.warning_once(assembly::settings(self.inputs())?))
    }

    /// The same as if no bucket were wanted, for what must go on without one.
    pub(crate) fn settings_without_bucket(&self) -> Result<Settings, Failure> {
        let mut flags = self.flags.clone();
        flags.set(Id::S3, "false");
        let inputs = Inputs {
            flags: &flags,
            ..self.inputs()
        };
        Ok(Settings::resolve(inputs)?)
    }

    fn warning_once(&self, settings: Settings) -> Settings {
        if let Some(bucket) = &settings.bucket.value
            && bucket.is_insecure()
        {
            self.warned.call_once(|| journal::warn_of_insecure(bucket));
        }
        settings
    }
}

/// Carries out a command and tells how it went.
pub fn run(invocation: Invocation) -> ExitCode {
    let Invocation {
        verb,
        mut flags,
        format,
    } = invocation;
    let environment = Environment::of_process();
    argv::restore_secrets(&environment, &mut flags);
    on_threads(work(verb, flags, environment, format)).unwrap_or_else(|failure| fail(&failure))
}

/// Runs the whole of a command on threads of its own.
pub(crate) fn on_threads<F>(work: F) -> Result<ExitCode, Failure>
where
    F: Future<Output = Result<ExitCode, Failure>> + Send + 'static,
{
    // Two threads: one for the stream, one for what follows it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| Failure::new(Kind::Bug, format!("start threads: {error}")))?;
    // The work is a task like those that it starts: on this thread, which only waits, each piece
    // of etcd's stream would cost a wake-up through the kernel.
    let work = runtime.spawn(work);
    let result = runtime.block_on(work).unwrap_or_else(|ended| {
        let message = format!("the work ended early: {ended}");
        Err(Failure::new(Kind::Bug, message))
    });
    runtime.shutdown_timeout(LINGER);
    result
}

async fn work(
    verb: Verb,
    flags: Flags,
    environment: Environment,
    format: Format,
) -> Result<ExitCode, Failure> {
    let context = Context::new(flags, environment, format)?;
    start_log(&context, telemetry::Format::Logfmt)?;
    let forced = context.orders.force.clone();
    tokio::select! {
        biased;
        () = forced.cancelled() => Err(Failure::new(Kind::Canceled, "stopped at once")),
        result = carry_out(&verb, &context) => result,
    }
}

async fn carry_out(verb: &Verb, context: &Context) -> Result<ExitCode, Failure> {
    // These deal with a stop themselves; every other verb is dropped, which leaves nothing.
    match verb {
        Verb::Run => return run::run(context).await.map(|()| ExitCode::SUCCESS),
        Verb::Drill(request) => {
            let done = Box::pin(drill::run(context, request)).await;
            return done.map(|()| ExitCode::SUCCESS);
        }
        _ => {}
    }
    let work = async {
        let done = match verb {
            Verb::Run | Verb::Drill(_) => Ok(()),
            Verb::Save { name } => save::run(context, name.as_deref()).await,
            Verb::List => list::run(context).await,
            Verb::Board => board::run(context).await,
            Verb::Prune { mode } => prune::run(context, *mode).await,
            Verb::Delete { name, from } => delete::run(context, name, *from).await,
            Verb::Upload { name } => copy::upload(context, name).await,
            Verb::Download { name } => copy::download(context, name).await,
            Verb::Status { operand } => status::run(context, operand).await,
            Verb::Verify(request) => verify::run(context, request).await,
            Verb::Restore(request) => Box::pin(restore::run(context, request)).await,
            Verb::VerifyRemote { names } => verify::remote::run(context, names).await,
            Verb::Times(Times::Preview { days }) => preview::run(context, *days).await,
            Verb::Times(Times::Coverage { days }) => coverage::run(context, *days).await,
            Verb::HashKv(request) => hashkv::run(context, request).await,
            // The one whose answer may be in its exit code.
            Verb::Look(look) => return look::run(context, look).await,
            Verb::Check(effort) => check::run(context, *effort).await,
            Verb::ConfigCheck => config::check(context),
            Verb::RkePki(pki) => rke::pki::run(context, pki).await,
            Verb::ConfigShow => config::show(context),
            Verb::Version => version::run(context.format),
            Verb::Completion(shell) => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut cli::command(), "rollsnap", &mut script);
                output::print(&String::from_utf8_lossy(&script))
            }
        };
        done.map(|()| ExitCode::SUCCESS)
    };
    let stopped = async {
        context.orders.stop.cancelled().await;
        drop(context.last_word.lock().await);
    };
    // The work is asked first: a save whose snapshot stands has more to say of a stop than this.
    let result = tokio::select! {
        biased;
        result = work => result,
        () = stopped => {
            Err(Failure::new(Kind::Canceled, "stopped before the end; nothing half-made is left"))
        }
    };
    context.rest().await;
    result
}

/// Starts the log, and tells how its lines are written: in `logfmt` unless JSON is asked for.
pub(crate) fn start_log(
    context: &Context,
    logfmt: telemetry::Format,
) -> Result<telemetry::Format, Failure> {
    let log = Log::resolve(context.inputs())?;
    let format = match log.format.value {
        LogFormat::Logfmt => logfmt,
        LogFormat::Json => telemetry::Format::Json,
    };
    let verbosity = match context.environment.get("RUST_LOG") {
        Some(directives) => Verbosity::Directives(directives.to_owned()),
        None if log.debug.value => Verbosity::Debug,
        None => Verbosity::Normal,
    };
    telemetry::start(format, &verbosity, Arc::clone(&context.clock))
        .map_err(|error| Failure::new(Kind::Config, error))?;
    Ok(format)
}

fn fail(failure: &Failure) -> ExitCode {
    output::complain(&format!("rollsnap: {failure}"));
    ExitCode::from(failure.kind.exit_code())
}
