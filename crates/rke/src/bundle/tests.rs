use std::process::Command;

use super::*;

/// A directory as RKE deploys it.
fn certificates() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, mode) in [("kube-ca.pem", 0o644), ("kube-ca-key.pem", 0o600)] {
        let path = dir.path().join(name);
        fs::write(&path, format!("the contents of {name}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/more.pem"), "more").unwrap();
    dir
}

#[track_caller]
fn assert_restored(dir: &Path) {
    for (name, mode) in [("kube-ca.pem", 0o644), ("kube-ca-key.pem", 0o600)] {
        let path = dir.join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("the contents of {name}"));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            mode
        );
    }
    assert_eq!(
        fs::read_to_string(dir.join("sub/more.pem")).unwrap(),
        "more"
    );
}

fn tar(args: &[&str], paths: &[&Path]) {
    let done = Command::new("tar").args(args).args(paths).status().unwrap();
    assert!(done.success());
}

#[test]
fn what_is_packed_is_what_was_there() {
    let packed = pack(certificates().path()).unwrap().unwrap();
    assert_eq!(packed.files, 3);
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("etc/.tmp");
    // Older files of the same names give way.
    fs::create_dir_all(&into).unwrap();
    fs::write(into.join("kube-ca.pem"), "old").unwrap();
    let mut paths = unpack(&packed.bytes, &into).unwrap();
    paths.sort();
    let names = ["kube-ca-key.pem", "kube-ca.pem", "sub/more.pem"];
    assert_eq!(paths, names.map(PathBuf::from));
    assert_restored(&into);
    assert_eq!(
        fs::read_dir(&into).unwrap().count(),
        3,
        "nothing half-made stays"
    );
}

#[test]
fn the_commands_of_rke_unpack_ours() {
    let packed = pack(certificates().path()).unwrap().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join(NAME);
    fs::write(&bundle, &*packed.bytes).unwrap();
    let into = dir.path().join("into");
    fs::create_dir(&into).unwrap();
    tar(
        &["xzf"],
        &[
            &bundle,
            Path::new("-C"),
            &into,
            Path::new("--strip-components=3"),
        ],
    );
    assert_restored(&into);
}

#[test]
fn we_unpack_what_the_commands_of_rke_packed() {
    let from = certificates();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root/opt/prefix/etc/kubernetes");
    fs::create_dir_all(&root).unwrap();
    fs::rename(from.path(), root.join(".tmp")).unwrap();
    for (at, called) in [
        ("root/opt/prefix", "etc/kubernetes/.tmp/"),
        ("root", "opt/prefix/etc/kubernetes/.tmp/"),
    ] {
        let bundle = dir.path().join(NAME);
        let at = dir.path().join(at);
        tar(
            &["czf"],
            &[&bundle, Path::new("-C"), &at, Path::new(called)],
        );
        let into = tempfile::tempdir().unwrap();
        unpack(&fs::read(&bundle).unwrap(), into.path()).unwrap();
        assert_restored(into.path());
    }
}

#[test]
fn where_there_is_nothing_to_pack_there_is_no_bundle() {
    let dir = tempfile::tempdir().unwrap();
    assert!(pack(dir.path()).unwrap().is_none());
    assert!(pack(&dir.path().join("missing")).unwrap().is_none());
}

#[test]
fn a_link_is_not_packed() {
    let dir = certificates();
    std::os::unix::fs::symlink("/etc/shadow", dir.path().join("link")).unwrap();
    let error = pack(dir.path()).err().unwrap().to_string();
    assert!(
        error.contains("link is neither a file nor a directory"),
        "{error}"
    );
}

/// A bundle with one good file and one entry of this kind.
fn bundle_with(called: &str, kind: EntryType) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (called, kind) in [
        ("etc/kubernetes/.tmp/good.pem", EntryType::Regular),
        (called, kind),
    ] {
        let mut header = Header::new_gnu();
        // The library itself refuses to write such names.
        header.as_old_mut().name[..called.len()].copy_from_slice(called.as_bytes());
        header.set_mode(0o6755);
        header.set_entry_type(kind);
        header.set_size(if kind == EntryType::Regular { 4 } else { 0 });
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc").unwrap();
        }
        header.set_cksum();
        let bytes: &[u8] = if kind == EntryType::Regular {
            b"text"
        } else {
            b""
        };
        tar.append(&header, bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn no_entry_leads_out_and_none_is_written_beside_one_that_does() {
    for (called, kind) in [
        ("etc/kubernetes/.tmp/../../../escaped", EntryType::Regular),
        ("../escaped", EntryType::Regular),
        ("etc/kubernetes/.tmp/link", EntryType::Symlink),
        ("etc/kubernetes/.tmp/hard", EntryType::Link),
        ("etc/kubernetes/.tmp/fifo", EntryType::Fifo),
        ("etc/kubernetes/.tmp", EntryType::Regular),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("into");
        let error = unpack(&bundle_with(called, kind), &into).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        assert!(!into.exists(), "{called}");
    }
    // An absolute path is the one below the directory, as with tar.
    let dir = tempfile::tempdir().unwrap();
    let bundle = bundle_with("/etc/kubernetes/.tmp/a.pem", EntryType::Regular);
    unpack(&bundle, dir.path()).unwrap();
    let mode = fs::metadata(dir.path().join("a.pem"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o755, "nothing runs as somebody else");
}

#[test]
fn a_link_in_the_directory_leads_nobody_out() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(outside.path(), dir.path().join("sub")).unwrap();
    let bundle = bundle_with("etc/kubernetes/.tmp/sub/x.pem", EntryType::Regular);
    let error = unpack(&bundle, dir.path()).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn every_cut_is_noticed() {
    let whole = pack(certificates().path()).unwrap().unwrap().bytes;
    for cut in 0..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("into");
        assert!(
            unpack(&whole[..cut], &into).is_err(),
            "{cut} of {}",
            whole.len()
        );
        assert!(!into.exists());
    }
}
