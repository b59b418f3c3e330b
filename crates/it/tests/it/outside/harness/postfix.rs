//! A Postfix of the test's own that takes everything for `dest.example`, and finds out later that it cannot.
//!
//! Unknown local users bounce as `5.1.1`, `policy@` as `5.7.1`; its reports go to one next hop. Needs root, as Postfix
//! does; stopped by its own command, with its own folder, when dropped.

use super::tools::word;
use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running Postfix.
pub(crate) struct Postfix {
    etc: PathBuf,
    child: Child,
    /// Where it takes mail.
    pub(crate) address: SocketAddr,
}

impl Postfix {
    /// Starts one in a folder; what it reports goes to `next_hop`.
    pub(crate) async fn start(folder: &Path, next_hop: SocketAddr) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], testkit::base_port()));
        let etc = folder.join("etc");
        // Its own user goes through the folder to its state.
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        for name in ["etc", "queue", "state"] {
            let part = folder.join(name);
            fs::create_dir(&part).unwrap();
            fs::set_permissions(&part, Permissions::from_mode(0o755)).unwrap();
        }
        chown(folder.join("state"), Some(user("postfix")), None).expect("Postfix starts only as root");
        let services = fs::read_to_string("/usr/share/postfix/master.cf.dist").expect("run cargo xtask setup");
        fs::write(etc.join("master.cf"), service_table(&services, address)).unwrap();
        fs::write(etc.join("main.cf"), main_cf(folder, next_hop)).unwrap();
        let output = fs::File::create(folder.join("output")).unwrap();
        let mut command = Command::new("postfix");
        command.args(["-c", word(&etc), "start-fg"]).stdin(Stdio::null());
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn();
        let child = child.expect("postfix is missing; run cargo xtask setup");
        let postfix = Self { etc, child, address };
        super::until("Postfix to listen", async || TcpStream::connect(address).ok()).await;
        postfix
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let mut stop = Command::new("postfix");
        let _ = stop.args(["-c", word(&self.etc), "stop"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

/// The number of a user of this machine.
fn user(name: &str) -> u32 {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with(&format!("{name}:"))).expect("run cargo xtask setup");
    line.split(':').nth(2).and_then(|number| number.parse().ok()).unwrap()
}

/// The distribution's own table, with one listener at our address, and without the chroot that Debian adds.
fn service_table(distributed: &str, address: SocketAddr) -> String {
    let mut table = String::new();
    let listener = address.to_string();
    for line in distributed.lines().filter(|line| !line.starts_with(['#', ' ', '\t'])) {
        let mut fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            ["smtp", "inet", ..] => fields[0] = &listener,
            ["pickup", ..] | [_, "inet", ..] => continue,
            [_, _, _, _, _, _, _, _, ..] => {}
            _ => continue,
        }
        fields[4] = "n";
        table.push_str(&fields.join(" "));
        table.push('\n');
    }
    table
}

fn main_cf(folder: &Path, next_hop: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/state\n\
         myhostname = mx.dest.example\nmydestination = dest.example\ninet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nrelayhost = [127.0.0.1]:{}\nlocal_recipient_maps =\n\
         transport_maps = inline:{{{{policy@dest.example = error:5.7.1 not from you}}}}\n\
         alias_maps =\nalias_database =\nnotify_classes =\nbiff = no\n",
        next_hop.port()
    )
}
