//! One verb, one file. Here: what comes before and after every one of them.

mod check;
mod config;
mod copy;
mod delete;
mod hashkv;
mod list;
mod look;
mod operand;
mod progress;
mod prune;
mod question;
mod restore;
mod run;
mod save;
mod status;
pub mod verify;
mod version;

use std::process::ExitCode;
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use rollsnap_engine::tended::Tended;
use rollsnap_engine::{Clock, Kind, SystemClock};
use rollsnap_store::Store;

use crate::argv;
use crate::assembly;
use crate::cli::{self, Invocation, Verb};
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
struct Context {
    flags: Flags,
    environment: Environment,
    format: Format,
    clock: Arc<dyn Clock>,
    orders: Orders,
    /// The bucket of a verb that uploads.
    tended: OnceLock<Tended>,
    /// That a bucket whose certificate is not checked was warned of.
    warned: Once,
}

impl Context {
    /// A bucket whose uploads are aborted, and waited for, if the verb is stopped.
    fn tend(&self, bucket: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(self.tended.get_or_init(|| Tended::new(bucket)).clone())
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            flags: &self.flags,
            environment: &self.environment,
            files: &Disk,
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        Ok(self.warning_once(Settings::resolve(self.inputs())?))
    }

    /// For a verb that asks etcd.
    fn settings_with_etcd(&self) -> Result<Settings, Failure> {
        Ok(self.warning_once(assembly::settings(self.inputs())?))
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
    // Two threads: one for the stream, one for what follows it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::new(Kind::Bug, format!("start threads: {error}"))),
    };
    // The work is a task like those that it starts: on this thread, which only waits, each piece
    // of etcd's stream would cost a wake-up through the kernel.
    let work = runtime.spawn(work(verb, flags, environment, format));
    let result = runtime.block_on(work).unwrap_or_else(|ended| {
        let message = format!("the work ended early: {ended}");
        Err(Failure::new(Kind::Bug, message))
    });
    runtime.shutdown_timeout(LINGER);
    result.unwrap_or_else(|failure| fail(&failure))
}

async fn work(
    verb: Verb,
    flags: Flags,
    environment: Environment,
    format: Format,
) -> Result<ExitCode, Failure> {
    let orders = Orders::listen()
        .map_err(|error| Failure::new(Kind::Bug, format!("listen for signals: {error}")))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let context = Context {
        flags,
        environment,
        format,
        clock,
        orders,
        tended: OnceLock::new(),
        warned: Once::new(),
    };
    start_log(&context)?;
    let forced = context.orders.force.clone();
    tokio::select! {
        biased;
        () = forced.cancelled() => Err(Failure::new(Kind::Canceled, "stopped at once")),
        result = carry_out(&verb, &context) => result,
    }
}

async fn carry_out(verb: &Verb, context: &Context) -> Result<ExitCode, Failure> {
    // The daemon deals with a stop itself; every other verb is dropped, which leaves nothing.
    if *verb == Verb::Run {
        return run::run(context).await.map(|()| ExitCode::SUCCESS);
    }
    let work = async {
        let done = match verb {
            Verb::Run => Ok(()),
            Verb::Save { name } => save::run(context, name.as_deref()).await,
            Verb::List => list::run(context).await,
            Verb::Prune { mode } => prune::run(context, *mode).await,
            Verb::Delete { name, from } => delete::run(context, name, *from).await,
            Verb::Upload { name } => copy::upload(context, name).await,
            Verb::Download { name } => copy::download(context, name).await,
            Verb::Status { operand } => status::run(context, operand).await,
            Verb::Verify(request) => verify::run(context, request).await,
            Verb::Restore(request) => restore::run(context, request).await,
            Verb::VerifyRemote { names } => verify::remote::run(context, names).await,
            Verb::HashKv(request) => hashkv::run(context, request).await,
            // The one whose answer may be in its exit code.
            Verb::Look(look) => return look::run(context, look).await,
            Verb::Check(effort) => check::run(context, *effort).await,
            Verb::ConfigCheck => config::check(context),
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
    // The work is asked first: a save whose snapshot stands has more to say of a stop than this.
    let result = tokio::select! {
        biased;
        result = work => result,
        () = context.orders.stop.cancelled() => {
            Err(Failure::new(Kind::Canceled, "stopped before the end; nothing half-made is left"))
        }
    };
    if let Some(tended) = context.tended.get() {
        tended.rest(ABORT).await;
    }
    result
}

fn start_log(context: &Context) -> Result<(), Failure> {
    let log = Log::resolve(context.inputs())?;
    let format = match log.format.value {
        LogFormat::Logfmt => telemetry::Format::Logfmt,
        LogFormat::Json => telemetry::Format::Json,
    };
    let verbosity = match context.environment.get("RUST_LOG") {
        Some(directives) => Verbosity::Directives(directives.to_owned()),
        None if log.debug.value => Verbosity::Debug,
        None => Verbosity::Normal,
    };
    telemetry::start(format, &verbosity, Arc::clone(&context.clock))
        .map_err(|error| Failure::new(Kind::Config, error))
}

fn fail(failure: &Failure) -> ExitCode {
    output::complain(&format!("rollsnap: {failure}"));
    ExitCode::from(failure.kind.exit_code())
}
