//! Which processors the server and its clients run on: one for each side, so that what is measured
//! is the server, and not where the kernel moves the two.

use std::process::{Command, Stdio};

use super::child::Running;

/// Gives the servers the first processor, and this thread and those it starts the last one. To be asked
/// once by a thread, which knows of one processor from then on. Where that cannot be had, whoever cannot
/// says so, and it is measured without.
pub(crate) fn apart(servers: &[Running]) {
    let last = std::thread::available_parallelism().map_or(0, |count| count.get() - 1).to_string();
    let client = this_thread();
    arrange("taskset", &["--cpu-list", "--pid", &last], &client);
    for server in servers {
        let server = server.id().to_string();
        arrange("taskset", &["--all-tasks", "--cpu-list", "--pid", "0"], &server);
        let (its, ours) = (processors_of(&server), processors_of(&client));
        if its == ours {
            println!("The server and its clients share the processors {its}.");
        }
    }
}

/// Has this thread run only when nobody else wants to.
pub(crate) fn give_way() {
    arrange("chrt", &["--idle", "--pid", "0"], &this_thread());
}

fn arrange(command: &str, arguments: &[&str], thread: &str) {
    let _ = Command::new(command).args(arguments).arg(thread).stdout(Stdio::null()).status();
}

/// Those that a thread may run on.
fn processors_of(thread: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).expect("it runs");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.expect("a list").trim().to_owned()
}

/// The number of this thread.
fn this_thread() -> String {
    let link = std::fs::read_link("/proc/thread-self").expect("a thread");
    link.file_name().expect("pid/task/tid").to_str().expect("digits").to_owned()
}
