//! The reference of the command line says what the program says. `just bless` writes it anew.

use std::path::Path;

use rollsnap::{cli, http};

fn compare(page: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, made).expect("docs/ can be written");
        return;
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == made,
        "docs/{page} is not what the program says: run `just bless`"
    );
}

#[test]
fn the_reference_of_the_command_line_is_what_the_program_says() {
    compare("cli.md", &cli::reference::page());
}

#[test]
fn the_reference_of_the_metrics_is_what_the_program_says() {
    compare("metrics.md", &http::metrics::reference::page());
}
