//! What only clusters of RKE have: `rke pki save` and `rke pki restore`.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use rollsnap_rke::bundle;

use super::{printing, verb};
use crate::config::options::Group::{Bucket, Directory, File, Log};

pub(super) const NAME: &str = "rke";

/// What is to be done with the bundle of certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pki {
    /// Pack this directory beside the snapshots.
    Save(PathBuf),
    /// Unpack the bundle into this directory.
    Restore(PathBuf),
}

pub(super) fn command() -> Command {
    let save = printing(verb(
        "save",
        "Packs the certificates of RKE before v0.2.0 into pki.bundle.tar.gz beside the snapshots",
        &[File, Directory, Log],
    ));
    let restore = printing(verb(
        "restore",
        "Unpacks pki.bundle.tar.gz of the directory, or of the bucket where that has none, for RKE to \
         build the cluster anew with",
        &[File, Directory, Bucket, Log],
    ));
    let pki = Command::new("pki")
        .about("Keeps the certificates of clusters that RKE before v0.2.0 built")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(save.arg(directory("from", "The directory that is packed.")))
        .subcommand(restore.arg(directory(
            "to",
            "The directory that is unpacked into. Files of the same names are replaced.",
        )));
    Command::new(NAME)
        .about("What only clusters of RKE have")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(pki)
}

/// The directory of both.
fn directory(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("DIRECTORY")
        .value_parser(value_parser!(PathBuf))
        .default_value(bundle::DIRECTORY)
        .help(help)
}

pub(super) fn parse(matches: &ArgMatches) -> (Pki, &ArgMatches) {
    let verb = matches.subcommand().and_then(|(_, pki)| pki.subcommand());
    let path = |matches: &ArgMatches, name| {
        let path = matches.get_one::<PathBuf>(name).cloned();
        path.unwrap_or_else(|| bundle::DIRECTORY.into())
    };
    match verb {
        Some(("save", matches)) => (Pki::Save(path(matches, "from")), matches),
        Some((_, matches)) => (Pki::Restore(path(matches, "to")), matches),
        None => unreachable!("clap demands save or restore"),
    }
}
