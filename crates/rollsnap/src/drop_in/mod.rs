//! The old program's command line, as RKE gives it to its containers, carried out by this one.
//!
//! A call is read by [`rollsnap_rke::argv`], becomes flags of ours, and runs the same pipeline and
//! the same daemon as every other command. What RKE looks at is kept: the exit code, 0 or 1, and
//! the last line of standard error, which is always the reason.

mod delete;
mod download;
mod extract;
mod save;
mod serve;
mod settings;
mod state;
mod voice;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use rollsnap_engine::{Kind, SnapshotName, SystemClock};
use rollsnap_rke::argv::{self, Call, Form, Refusal};
use rollsnap_rke::duration::GoDuration;
use tracing::error;

use crate::argv::revealed;
use crate::commands::{self, Context};
use crate::config::{Environment, Flags};
use crate::output::{self, Format};
use crate::report::Failure;
use crate::telemetry;

/// The program's old name.
const NAME: &str = "rke-etcd-backup";

/// Whether these arguments, the program's own name first, are for the old program.
pub fn is_called(args: &[OsString]) -> bool {
    let Some((own, rest)) = args.split_first() else {
        return false;
    };
    let file = Path::new(own).file_name();
    file.is_some_and(|file| file == NAME) || argv::is_called(rest)
}

/// Carries out such arguments and tells how it went.
pub fn run(args: &[OsString]) -> ExitCode {
    let environment = Environment::of_process();
    let args = revealed(&environment, args.get(1..).unwrap_or_default());
    let call = argv::parse(&args, &|name| environment.get(name).map(str::to_owned));
    if let Err(Refusal::Help(text)) = call {
        return print(&text);
    }
    let form = Form::of(&args);
    commands::on_threads(work(call, form, environment)).unwrap_or_else(|failure| {
        die(lines_of(form), &failure);
        ExitCode::FAILURE
    })
}

/// How the log's lines are written unless JSON is asked for.
fn lines_of(form: Form) -> telemetry::Format {
    match form {
        Form::Rolling => telemetry::Format::OldLogfmt,
        Form::EtcdBackup => telemetry::Format::Logfmt,
    }
}

fn print(text: &str) -> ExitCode {
    match output::print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn die(lines: telemetry::Format, failure: &Failure) {
    telemetry::fatal(
        lines,
        &SystemClock,
        &failure.message,
        failure.hint.as_deref(),
    );
}

async fn work(
    call: Result<Call, Refusal>,
    form: Form,
    environment: Environment,
) -> Result<ExitCode, Failure> {
    let mut flags = Flags::default();
    if let Ok(call) = &call {
        flags = settings::flags(call, &environment);
    }
    let context = Context::new(flags, environment, Format::Text)?;
    let lines = commands::start_log(&context, lines_of(form))?;
    let result = match call {
        Ok(call) => Box::pin(carry_out(&call, &context)).await,
        Err(refusal) => Err(refused(&refusal)),
    };
    Ok(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            die(lines, &failure);
            ExitCode::FAILURE
        }
    })
}

/// Tells what is wrong with the words, as far as that does not belong into the last line.
fn refused(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::Help(_) => {}
        Refusal::Words { what, usage } => {
            // Beside the reason it is nothing that it cannot be printed.
            let _ = output::print(&format!("Incorrect Usage: {what}\n\n{usage}"));
        }
        Refusal::NoCertificates { cacert, cert, key } => {
            error!(
                etcdCACert = cacert,
                etcdCert = cert,
                etcdKey = key,
                "{refusal}"
            );
        }
        Refusal::NoPeriod {
            creation,
            retention,
        } => error!(
            creation = %GoDuration(*creation),
            retention = %GoDuration(*retention),
            "{refusal}"
        ),
    }
    Failure::new(Kind::Usage, refusal.to_string())
}

async fn carry_out(call: &Call, context: &Context) -> Result<(), Failure> {
    let forced = context.orders.force.clone();
    let work = async {
        match call {
            // The loop deals with a stop itself.
            Call::Save(save) if !save.once => save::rolling(save, context).await,
            Call::Save(save) => or_stopped(context, Box::pin(save::once(save, context))).await,
            Call::Delete(delete) => or_stopped(context, delete::run(delete, context)).await,
            Call::ExtractStateFile(extract) => {
                or_stopped(context, extract::run(extract, context)).await
            }
            Call::Download(download) => {
                or_stopped(context, Box::pin(download::run(download, context))).await
            }
            // A stop is how it ends.
            Call::Serve(serve) => serve::run(serve, context).await,
        }
    };
    tokio::select! {
        biased;
        () = forced.cancelled() => Err(Failure::new(Kind::Canceled, "stopped at once")),
        result = work => result,
    }
}

/// The work, unless a signal stops it; dropped, it leaves nothing.
async fn or_stopped(
    context: &Context,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    // The work is asked first: a save whose snapshot stands has more to say of a stop than this.
    let result = tokio::select! {
        biased;
        result = work => result,
        () = context.orders.stop.cancelled() => {
            Err(Failure::new(Kind::Canceled, "stopped before the end; nothing half-made is left"))
        }
    };
    context.rest().await;
    result
}

/// The snapshot that RKE means by a name. It has no extension: where somebody gave that of an
/// archive, the archive is meant.
fn snapshot_named(name: &str) -> Result<SnapshotName, Failure> {
    Ok(SnapshotName::new(
        name.strip_suffix(".zip").unwrap_or(name),
    )?)
}
