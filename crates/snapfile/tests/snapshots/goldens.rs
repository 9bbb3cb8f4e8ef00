//! The files of `testdata`, whose README tells how they were made.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

/// One real database.
pub(crate) struct Golden {
    path: PathBuf,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// All of them, one at a time.
pub(crate) fn all() -> impl Iterator<Item = Golden> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut paths = [files(&dir), files(&dir.join("made"))].concat();
    paths.retain(|path| path.to_string_lossy().ends_with(".db.gz"));
    paths.sort();
    assert!(paths.len() >= 32, "goldens are missing: {paths:?}");
    paths.into_iter().map(Golden::read)
}

/// One of them, such as `3.5.1` or `made/3.4.23.history`.
pub(crate) fn named(name: &str) -> Golden {
    let path = format!("{}/testdata/{name}.db.gz", env!("CARGO_MANIFEST_DIR"));
    Golden::read(path.into())
}

impl Golden {
    fn read(path: PathBuf) -> Self {
        let name = path.file_name().unwrap().to_string_lossy();
        Self {
            name: name.trim_end_matches(".db.gz").to_owned(),
            bytes: unpack(&path),
            path,
        }
    }

    /// The files beside it whose name goes on with `what`, as JSON, with what follows it.
    pub(crate) fn answers<T: DeserializeOwned>(&self, what: &str) -> Vec<(String, T)> {
        let start = format!("{}.{what}", self.name);
        let beside = files(self.path.parent().unwrap()).into_iter();
        beside
            .filter_map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let rest = name.strip_prefix(&start)?;
                let rest = rest.trim_end_matches(".gz").trim_end_matches(".json");
                let bytes = if path.extension().is_some_and(|it| it == "gz") {
                    unpack(&path)
                } else {
                    fs::read(&path).unwrap()
                };
                let answer = serde_json::from_slice(&bytes);
                let answer = answer.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                Some((rest.to_owned(), answer))
            })
            .collect()
    }

    /// Whether it is no snapshot but a copy of a server's file, without a digest.
    pub(crate) fn is_copied(&self) -> bool {
        self.name.ends_with(".copied")
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn unpack(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}
