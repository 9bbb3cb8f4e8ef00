//! Every command of ours that README and `docs/` show is one that the program takes.

use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use rollsnap::cli;

/// A command as it is written, and where.
struct Shown {
    place: String,
    text: String,
    /// It is to be typed; else it is named in a sentence, where less of it will do.
    is_whole: bool,
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = fs::read_dir(root.join("docs")).expect("docs/ is there");
    let docs = docs.map(|entry| entry.expect("it can be listed").path());
    // The reference is made from the program.
    let pages = docs.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let pages = pages.filter(|path| !path.ends_with("cli.md"));
    pages.chain([root.join("README.md")]).collect()
}

/// The commands of one page: lines of its blocks, and what its sentences name in code.
fn commands(page: &Path) -> Vec<Shown> {
    let text = fs::read_to_string(page).expect("it can be read");
    let place = page.file_name().unwrap_or_default().to_string_lossy();
    let mut found = Vec::new();
    let mut tell = |text: &str, is_whole| {
        found.push(Shown {
            place: place.to_string(),
            text: text.to_owned(),
            is_whole,
        });
    };
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 1 {
            for line in part.replace("\\\n", " ").lines() {
                // The time by the clock, a prompt, or another user stands before some.
                let line =
                    line.trim_start_matches(|it: char| it.is_ascii_digit() || " :$".contains(it));
                let line = line.strip_prefix("sudo ").unwrap_or(line);
                if line.starts_with("rollsnap ") {
                    tell(line, true);
                }
            }
            continue;
        }
        for (number, code) in part.replace('\n', " ").split('`').enumerate() {
            if number % 2 == 1 && code.starts_with("rollsnap ") {
                tell(code, false);
            }
        }
    }
    found
}

/// The words of a command without what the shell takes from it, and without what is left out.
fn words(text: &str) -> Vec<String> {
    let words = shlex::split(&text.replace(['[', ']'], " ")).expect("quotes are closed");
    let ours = words.into_iter().take_while(|word| {
        let is_of_the_shell = ["|", "\\|", ">", ">>", "2>", "&&", "||", "&", ";"];
        !is_of_the_shell.contains(&&**word)
    });
    ours.filter(|word| word != "…").collect()
}

#[test]
fn every_command_that_is_shown_is_taken() {
    let shown: Vec<_> = pages().iter().flat_map(|page| commands(page)).collect();
    let to_type = shown.iter().filter(|it| it.is_whole).count();
    assert!(
        to_type >= 10 && shown.len() >= 60,
        "{to_type} of {}",
        shown.len()
    );
    let mut refused = Vec::new();
    for Shown {
        place,
        text,
        is_whole,
    } in &shown
    {
        let words = words(text);
        if words.get(1).is_some_and(|verb| verb == "VERB") {
            continue;
        }
        let Err(error) = cli::command().try_get_matches_from(words) else {
            continue;
        };
        let is_left_out = matches!(
            error.kind(),
            ErrorKind::MissingRequiredArgument
                | ErrorKind::InvalidValue
                | ErrorKind::MissingSubcommand
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        if *is_whole || !is_left_out {
            refused.push(format!("{place}: {text}\n{error}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
