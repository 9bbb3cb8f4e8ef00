//! Tries out a directory: that a file can go the whole way in it, on which file system it is, how
//! much room there is, and whose it is.

use std::io::{Read, Seek, SeekFrom, Write};

use super::part::{Part, Taken};
use super::{LocalDir, lock, space};
use crate::{Effort, ErrorKind, Outcome, Probe, StoreError};

/// What the file of the trial holds: more than the kernel keeps in an inode.
const BYTES: [u8; 16 << 10] = [0x5a; 16 << 10];

/// Everything that is tried. Blocks for some system calls, with [`Effort::Full`] for two syncs.
pub(super) fn run(dir: &LocalDir, effort: Effort) -> Vec<Probe> {
    let mut probes = Vec::new();
    let mut tell = |what, outcome: Result<Outcome, StoreError>| {
        let outcome = outcome.unwrap_or_else(Outcome::Failed);
        probes.push(Probe { what, outcome });
    };
    if effort == Effort::Full {
        tell("write", write(dir));
    }
    tell("file system", file_system(dir));
    tell("free space", free_space(dir));
    if effort == Effort::Full {
        tell("owner", owner(dir));
    }
    probes
}

/// Takes a file the way of a snapshot: written in the spool, synced, renamed, read back, deleted.
fn write(dir: &LocalDir) -> Result<Outcome, StoreError> {
    dir.home().ready()?;
    let name = format!(".rollsnap-probe-{}", std::process::id());
    let object = dir.root().file(&name);
    let fault = |verb, error| StoreError::io(verb, object.display(), error);
    let part = Part::create(&dir.home().spool, "probe")?;
    let mut file = part.file().as_ref();
    let written = file.write_all(&BYTES).and_then(|()| file.sync_all());
    written.map_err(|error| space::write_error(&object, error))?;
    let file = std::sync::Arc::clone(part.file());
    part.publish(dir.root(), &name, Taken::Replace)?;
    let mut read = Vec::new();
    let mut file = file.as_ref();
    let result = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut read))
        .map_err(|error| fault("read", error));
    dir.root().remove(&name)?;
    result?;
    if read != BYTES {
        let message = "what was written is not what is read";
        return Err(
            StoreError::at(ErrorKind::Corrupt, "read", object.display(), message)
                .with_hint("check the disk: this file system cannot be trusted"),
        );
    }
    Ok(Outcome::Held(
        "written, synced, renamed, read, deleted".into(),
    ))
}

fn file_system(dir: &LocalDir) -> Result<Outcome, StoreError> {
    let root = dir.root().path();
    let stat = rustix::fs::statfs(root)
        .map_err(|error| StoreError::io("measure", root.display(), error.into()))?;
    Ok(judge(stat.f_type))
}

/// What a file system is good for, by its number in statfs(2).
fn judge(magic: i64) -> Outcome {
    let weak = |name: &str, what: &str, hint: &str| Outcome::Weak {
        message: format!("{name}: {what}"),
        hint: hint.into(),
    };
    let memory = |name| {
        weak(
            name,
            "memory, whose snapshots are gone with the machine",
            "use a directory on a disk",
        )
    };
    let network = |name| {
        weak(
            name,
            "a network file system: a snapshot waits for its server, and is as durable as that",
            "use a local disk, and a bucket for the second copy",
        )
    };
    let held = |name: &str| Outcome::Held(name.into());
    match magic {
        0x0102_1994 => memory("tmpfs"),
        0x8584_58f6 => memory("ramfs"),
        0x794c_7630 => weak(
            "overlay",
            "a container's own layer, which is gone with the container",
            "mount a directory of the host there",
        ),
        0x6969 => network("nfs"),
        0xff53_4d42 | 0xfe53_4d42 => network("cifs"),
        0x00c3_6400 => network("ceph"),
        0x0102_1997 => network("9p"),
        0x6573_5546 => weak(
            "fuse",
            "a file system of some program's: what it makes of a sync is its own affair",
            "use a local disk, and a bucket for the second copy",
        ),
        0xef53 => held("ext4"),
        0x5846_5342 => held("xfs"),
        0x9123_683e => held("btrfs"),
        0x2fc1_2fc1 => held("zfs"),
        0xf2f5_2010 => held("f2fs"),
        other => Outcome::Held(format!("type {other:#x}")),
    }
}

fn free_space(dir: &LocalDir) -> Result<Outcome, StoreError> {
    Ok(match dir.free()? {
        None => Outcome::Untried("the file system does not tell".into()),
        Some(0) => Outcome::Failed(space::none(dir.root().path())),
        Some(free) => Outcome::Held(format!("{} free", space::human(free))),
    })
}

fn owner(dir: &LocalDir) -> Result<Outcome, StoreError> {
    let owner = lock::owner(&dir.home().daemon_lock())?;
    Ok(Outcome::Held(owner.map_or_else(
        || "no daemon runs here".into(),
        |owner| format!("the daemon here is {owner}"),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_outlives_container_and_machine_is_beyond_doubt() {
        for (magic, words) in [
            (0x0102_1994, "tmpfs: memory"),
            (0x8584_58f6, "ramfs: memory"),
            (0x794c_7630, "overlay: a container's own layer"),
            (0x6969, "nfs: a network file system"),
            (0xff53_4d42, "cifs: a network"),
            (0x6573_5546, "fuse: "),
        ] {
            let Outcome::Weak { message, hint } = judge(magic) else {
                panic!("{magic:#x} is trusted")
            };
            assert!(message.starts_with(words), "{message}");
            assert!(hint.starts_with("use ") || hint.starts_with("mount "));
        }
        for (magic, name) in [(0xef53, "ext4"), (0x5846_5342, "xfs"), (7, "type 0x7")] {
            assert!(matches!(judge(magic), Outcome::Held(held) if held == name));
        }
    }
}
