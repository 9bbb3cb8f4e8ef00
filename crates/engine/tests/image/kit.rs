//! Snapshots in every form, and how they are opened.

use std::io::{Cursor, Read, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use rollsnap_engine::codec::{Subject, Writer};
use rollsnap_engine::enclosure::Enclosed;
use rollsnap_engine::image::{Image, ImageError, Scratch, Want};
use rollsnap_engine::manifest::Content;
use rollsnap_engine::{Codec, SnapshotName};
use rollsnap_snapfile::{Digest, ReadAt};
use rollsnap_store::memory::Memory;
use rollsnap_store::{ObjectName, SpoolStore, Terms};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What etcd 3.5.1 sent, trailer and all: 1.4 MB.
pub(crate) fn golden() -> Vec<u8> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../snapfile/testdata");
    let file = std::fs::File::open(format!("{dir}/3.5.1.db.gz")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// Bytes that begin as a database does, compress well and differ from each other.
pub(crate) fn database(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 64);
    bytes.extend([0; 16]);
    bytes.extend(0xED0C_DAED_u32.to_le_bytes());
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
        bytes.extend([b'-'; 24]);
    }
    bytes.truncate(len);
    bytes
}

/// As rollsnap keeps it.
pub(crate) fn frames(plain: &[u8]) -> Vec<u8> {
    kept(plain, Codec::Zstd, None)
}

/// A zip as rollsnap keeps it.
pub(crate) fn zipped(plain: &[u8], state: Option<&[u8]>) -> Vec<u8> {
    let enclosed = state.map(|state| Enclosed {
        path: STATE.to_owned(),
        bytes: state.to_vec().into(),
        mode: 0o400,
    });
    kept(plain, Codec::Zip, enclosed)
}

fn kept(plain: &[u8], codec: Codec, enclosed: Option<Enclosed>) -> Vec<u8> {
    // A runtime of its own, for tests that have one and for those that have none.
    let encode = || encode(plain, codec, enclosed);
    std::thread::scope(|scope| scope.spawn(encode).join().unwrap())
}

fn encode(plain: &[u8], codec: Codec, enclosed: Option<Enclosed>) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let memory = Memory::default();
        let name = ObjectName::new("x").unwrap();
        let subject = Subject {
            name: &SnapshotName::new("mysnapshot").unwrap(),
            begun: DateTime::UNIX_EPOCH,
            size: plain.len() as u64,
        };
        let spool = memory.spool(&name, Terms::default()).await.unwrap();
        let mut writer = Writer::begin(spool, codec, subject).await.unwrap();
        let pushed = writer.push(Bytes::copy_from_slice(plain)).await;
        pushed.unwrap();
        let any = Content {
            digest: Digest([0; 32]),
            size: 0,
        };
        writer.seal(any, enclosed).await.unwrap();
        writer.into_spool().commit().await.unwrap();
        memory.get(&name).unwrap().to_vec()
    })
}

/// As `zstd` writes it, checksum and all.
pub(crate) fn zstd(plain: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A zip as RKE's sidecar writes it: as a stream, sizes after the data.
pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    zip_with(entries, SimpleFileOptions::default())
}

pub(crate) fn zip_with(entries: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ZipWriter::new_stream(&mut bytes);
    for (name, plain) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(plain).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

pub(crate) const NAME: &str = "/backup/mysnapshot";
pub(crate) const STATE: &str = "/etc/kubernetes/mysnapshot.rkestate";

/// A scratch directory that everybody has.
pub(crate) fn scratch() -> Scratch {
    Scratch::new(std::env::temp_dir())
}

pub(crate) fn open<'a>(stored: &[u8], want: impl Into<Want<'a>>) -> Result<Image, ImageError> {
    let heed = &mut |_, _| ControlFlow::Continue(());
    Image::open(Arc::new(stored.to_vec()), want, &scratch(), heed)
}

/// From a pipe that gives a few bytes at a time.
pub(crate) fn stream(stored: &[u8]) -> Result<Image, ImageError> {
    let heed = &mut |_, _| ControlFlow::Continue(());
    let mut source = Trickle(Cursor::new(stored.to_vec()));
    Image::of_stream(&mut source, None, &scratch(), heed)
}

struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let len = buf.len().min(4093);
        self.0.read(&mut buf[..len])
    }
}

/// All plain bytes.
pub(crate) fn whole(image: &dyn ReadAt) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(image.size()?).unwrap()];
    image.read_at(0, &mut bytes)?;
    Ok(bytes)
}
