//! The end of a cluster, whatever ends the test: a process that waits for our death and then tidies up.
//!
//! It reads a pipe whose other end only this process has, so it also notices a kill that leaves us no time. It is in
//! a group of its own: what is sent to the group of a test does not reach it. It ends processes by their working
//! folder, which for a server is its data folder: a number in a file may by then belong to somebody else.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The server is first told to leave at once, so that it gives its shared memory back.
const SCRIPT: &str = r#"
folder=$1
read -r _
ours() {
    find /proc -mindepth 2 -maxdepth 2 -name cwd \( -lname "$folder" -o -lname "$folder/*" \) 2>/dev/null | cut -d/ -f3
}
file=$folder/data/postmaster.pid
if [ -f "$file" ]; then
    server=$(head -n 1 "$file")
    memory=$(sed -n 7p "$file")
    for process in $(ours); do
        kill -CONT "$process"
        [ "$process" = "$server" ] && kill -QUIT "$process"
    done
    turn=0
    while [ -n "$(ours)" ] && [ $turn -lt 100 ]; do sleep 0.02; turn=$((turn + 1)); done
fi
for process in $(ours); do kill -KILL "$process"; done
turn=0
while [ -n "$(ours)" ] && [ $turn -lt 100 ]; do sleep 0.02; turn=$((turn + 1)); done
[ -n "$memory" ] && ipcrm -m "${memory##* }"
grep -q " $folder/data " /proc/mounts && umount "$folder/data"
rm -rf -- "$folder"
"#;

/// Tidies up when it is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    process: Child,
    /// Never written to.
    pipe: Option<ChildStdin>,
}

impl Keeper {
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "keeper"]).arg(folder).current_dir("/").process_group(0);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let pipe = process.stdin.take();
        Ok(Self { process, pipe })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // Whoever looks afterwards finds nothing left. A failure would only leave the keeper to itself.
        let _ = self.process.wait();
    }
}

/// The living processes that work in this folder.
pub(super) fn working_in(folder: &Path) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|target| target == folder))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .collect()
}

/// Sends a signal to all of them, `first` first. One that has ended meanwhile needs none.
pub(super) fn signal(processes: &[Pid], first: Option<Pid>, signal: Signal) {
    let leading = processes.iter().filter(|process| Some(**process) == first);
    let others = processes.iter().filter(|process| Some(**process) != first);
    for process in leading.chain(others) {
        let _ = kill_process(*process, signal);
    }
}
