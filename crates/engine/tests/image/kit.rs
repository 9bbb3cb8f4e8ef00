//! Snapshots in every form, and how they are opened.

use std::io::{Cursor, Read, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use rollsnap_engine::Codec;
use rollsnap_engine::codec::Writer;
use rollsnap_engine::image::{Access, Image, ImageError, Scratch};
use rollsnap_engine::manifest::Content;
use rollsnap_snapfile::{Digest, ReadAt};
use rollsnap_store::memory::Memory;
use rollsnap_store::{ObjectName, SpoolStore};
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
    // A runtime of its own, for tests that have one and for those that have none.
    std::thread::scope(|scope| scope.spawn(|| encode(plain)).join().unwrap())
}

fn encode(plain: &[u8]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let memory = Memory::default();
        let name = ObjectName::new("x").unwrap();
        let mut writer = Writer::new(memory.spool(&name, None).await.unwrap(), Codec::Zstd);
        let pushed = writer.push(Bytes::copy_from_slice(plain)).await;
        pushed.unwrap();
        let any = Content {
            digest: Digest([0; 32]),
            size: 0,
        };
        writer.seal(any).await.unwrap();
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

pub(crate) fn open(stored: &[u8], access: Access) -> Result<Image, ImageError> {
    let heed = &mut |_, _| ControlFlow::Continue(());
    Image::open(Arc::new(stored.to_vec()), access, &scratch(), heed)
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
