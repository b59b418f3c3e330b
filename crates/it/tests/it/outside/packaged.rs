//! The Debian package, the unit of systemd, the container's file, and what a node tells whoever started it.

use super::harness::binary::{postern, workspace};
use super::harness::tools::{run, word};
use super::harness::{Demo, Place};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Exposure that `systemd-analyze security` may find at most, in tenths of its scale of ten.
const EXPOSURE_MAX: &str = "20";

/// The package with the binary under test, and where it lies. Cargo may have to build first, which takes its time.
async fn packaged(to: &Path) -> String {
    let words = [
        "run",
        "--quiet",
        "-p",
        "xtask",
        "--",
        "package",
        "--compression",
        "none",
        "--binary",
        word(postern()),
        "--to",
        word(to),
    ];
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(words).current_dir(workspace()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || cargo.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_has_everything_starts_nothing_and_its_settings_are_good() {
    let folder = tempfile::tempdir().unwrap();
    let (to, root) = (folder.path().join("package"), folder.path().join("root"));
    let made = packaged(&to).await;
    let file = made.trim();
    let listed = run("dpkg-deb", &["-c", file]).await.good();
    for (mode, path) in [
        ("-rwxr-xr-x root/root", "./usr/bin/postern"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/postern.service"),
        ("-rw-r----- root/root", "./etc/postern/postern.toml"),
        ("-rw-r--r-- root/root", "./usr/share/doc/postern/configuration.md"),
        ("-rw-r--r-- root/root", "./usr/share/doc/postern/copyright"),
    ] {
        let line = listed.lines().find(|line| line.ends_with(path)).unwrap_or_else(|| panic!("{path}: {listed}"));
        assert!(line.starts_with(mode), "{line}");
    }
    let control = run("dpkg-deb", &["-f", file]).await.good();
    assert!(control.starts_with("Package: postern\n") && control.contains("Depends: libc6 (>= "), "{control}");
    run("dpkg-deb", &["-R", file, word(&root)]).await.good();
    let conffiles = fs::read_to_string(root.join("DEBIAN/conffiles")).unwrap();
    assert_eq!(conffiles, "/etc/postern/postern.toml\n");
    for script in ["postinst", "prerm", "postrm"] {
        let script = root.join("DEBIAN").join(script);
        run("sh", &["-n", word(&script)]).await.good();
        // Nobody's node starts because a package came; nobody's data goes because one went.
        let text = fs::read_to_string(&script).unwrap();
        assert!(!text.contains("rm -r") && !text.contains("systemctl start"), "{text}");
        assert!(!text.lines().any(|line| line.trim().starts_with("systemctl enable")), "{text}");
    }
    let (binary, settings) = (root.join("usr/bin/postern"), root.join("etc/postern/postern.toml"));
    let shown = run(&binary, &["config", "show", word(&settings)]).await.good();
    assert!(shown.contains("data = \"/var/lib/postern\"  # file, line"), "{shown}");
    // The folder that the package's script would make.
    let own = fs::read_to_string(&settings).unwrap().replace("/var/lib/postern", word(&folder.path().join("data")));
    fs::write(&settings, own).unwrap();
    run(&binary, &["config", "check", word(&settings)]).await.good();

    // The unit, as systemd reads it, within the package.
    let unit = root.join("usr/lib/systemd/system/postern.service");
    let judged = run("systemd-analyze", &["verify", "--man=no", "--recursive-errors=no", word(&unit)]).await;
    let about = |line: &&str| line.contains("postern.service") && !line.contains("/usr/bin/postern");
    assert_eq!(judged.err.lines().filter(about).collect::<Vec<_>>(), Vec::<&str>::new(), "{judged:?}");
    let security = ["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX, word(&unit)];
    run("systemd-analyze", &security).await.good();
    // Twin: without its walls it would be found.
    let open = folder.path().join("open.service");
    let bare = fs::read_to_string(&unit).unwrap();
    let bare: String =
        bare.lines().filter(|line| !line.starts_with("Protect")).map(|line| format!("{line}\n")).collect();
    fs::write(&open, bare).unwrap();
    let security = ["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX, word(&open)];
    assert_ne!(run("systemd-analyze", &security).await.code, 0);
}

/// There is no daemon of containers in a test run, so the file is read for what matters.
#[test]
fn the_container_is_built_apart_runs_as_nobody_special_and_is_asked_how_it_is() {
    let text = fs::read_to_string(workspace().join("packaging/Containerfile")).unwrap();
    let stages: Vec<&str> = text.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(stages, ["FROM rust:1.95-bookworm AS build", "FROM debian:bookworm-slim"]);
    let last = text.rsplit("\nFROM ").next().unwrap();
    for line in ["USER 10001:10001", "VOLUME /var/lib/postern", "ENTRYPOINT [\"/usr/bin/postern\"]"] {
        assert!(last.lines().any(|one| one == line), "{line}");
    }
    assert!(last.contains("HEALTHCHECK ") && last.contains("/readyz"));
    // What comes after the change of account may do nothing that needs root.
    let after = last.split("USER 10001:10001").nth(1).unwrap();
    assert!(!after.lines().any(|line| line.starts_with("RUN ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_started_a_node_is_told_when_it_is_ready_reloads_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let heard = || {
        let mut octets = [0; 256];
        let length = socket.recv(&mut octets).unwrap();
        let text = String::from_utf8(octets[..length].to_vec()).unwrap();
        text.lines().next().unwrap().to_owned()
    };
    let mut place = Place { command: "serve", ..Place::below(folder.path()) };
    place.within = vec!["env".to_owned(), format!("NOTIFY_SOCKET={}", word(&path))];
    let mut node = Demo::start(place).await;
    assert_eq!(heard(), "READY=1");
    node.reload();
    assert_eq!([heard(), heard()], ["RELOADING=1", "READY=1"]);
    assert!(node.terminate().await.success());
    assert_eq!(heard(), "STOPPING=1");
}
