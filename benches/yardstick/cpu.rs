//! CPU times from Linux.

use std::fs;
use std::time::Duration;

/// Linux reports CPU times in hundredths of a second on all machines.
const TICK: Duration = Duration::from_millis(10);

/// The values of a process in `/proc/PID/stat`.
struct Process {
    id: u32,
    parent: u32,
    own: u32,
    ended_children: u32,
}

impl Process {
    fn read(id: &str) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name is in parentheses and may contain spaces. The state follows it.
        let (start, rest) = (text.split(' ').next()?, text.rsplit_once(')')?.1);
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
        Some(Self {
            id: start.parse().ok()?,
            parent: number(1)?,
            own: number(11)? + number(12)?,
            ended_children: number(13)? + number(14)?,
        })
    }
}

/// The CPU time of a process and all its descendants, including those that ended.
pub fn of_tree(root: u32) -> Duration {
    let entries = fs::read_dir("/proc").expect("this is Linux").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let all: Vec<Process> = names.filter_map(|name| Process::read(&name)).collect();
    let mut tree = vec![root];
    let mut ticks = 0;
    while let Some(id) = tree.pop() {
        tree.extend(all.iter().filter(|process| process.parent == id).map(|process| process.id));
        let process = all.iter().find(|process| process.id == id);
        ticks += process.map_or(0, |process| process.own + process.ended_children);
    }
    TICK * ticks
}

/// The CPU time of this program's ended children.
pub fn of_ended_children() -> Duration {
    TICK * Process::read("self").map_or(0, |process| process.ended_children)
}

/// The CPU time of the calling thread.
pub fn of_thread() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or_default())
}
