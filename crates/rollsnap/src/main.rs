//! Rolling, verified snapshots of etcd. The order of events, and nothing else.

use std::process::ExitCode;

use rollsnap::{argv, cli, commands, drop_in, output};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Err(error) = argv::hide_secrets(&args) {
        output::complain(&format!(
            "rollsnap: hide the secrets of the command line: {error}"
        ));
        return ExitCode::from(rollsnap_engine::Kind::Bug.exit_code());
    }
    if drop_in::is_called(&args) {
        return drop_in::run(&args);
    }
    match cli::parse(args) {
        Ok(invocation) => commands::run(invocation),
        Err(error) => {
            // Nobody is left to tell if this cannot be printed.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}
