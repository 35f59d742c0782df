//! A process under measurement: Linux tells its memory and its time in /proc.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a finished process took.
pub struct Took {
    pub status: ExitStatus,
    pub stdout: String,
    pub elapsed: Duration,
    /// Processor time, user and system, in seconds.
    pub cpu: f64,
    /// Largest resident memory, in MiB.
    pub peak_mib: f64,
}

/// Runs a command to its end and measures it. Stderr goes through.
pub fn measured(command: &mut Command) -> Took {
    let before = waited_for();
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let out = child.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || std::io::read_to_string(out).unwrap_or_default());
    let mut peak_mib = 0.0_f64;
    let status = loop {
        peak_mib = peak_mib.max(peak(child.id()).unwrap_or(0.0));
        match child.try_wait().expect("it can be waited for") {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    Took {
        elapsed: start.elapsed(),
        status,
        stdout: reader.join().unwrap_or_default(),
        cpu: waited_for() - before,
        peak_mib,
    }
}

/// Processor time of a process that runs, in seconds.
pub fn cpu_of(child: &Child) -> f64 {
    cpu_of_id(child.id())
}

/// As [`cpu_of`], by the process's id.
pub fn cpu_of_id(id: u32) -> f64 {
    ticks(&format!("/proc/{id}/stat"), 13)
}

/// How often the threads of a process went to sleep so far, each time to be woken.
pub fn wake_ups_of_id(id: u32) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).expect("it runs");
    let statuses = tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    statuses
        .filter_map(|status| number_of(&status, "voluntary_ctxt_switches:"))
        .sum()
}

/// Memory of a process that is resident now, in MiB.
pub fn memory_of_id(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
    number_of(&status, "VmRSS:").unwrap_or(f64::NAN) / 1024.0
}

/// The number of a line of a status file.
fn number_of(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// Processor time of the children that ended and were waited for.
fn waited_for() -> f64 {
    ticks("/proc/self/stat", 15)
}

/// Two neighbouring fields of a stat file, in ticks of 10 ms, as seconds.
fn ticks(path: &str, first: usize) -> f64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The name in brackets may hold spaces.
    let Some((_, rest)) = text.rsplit_once(')') else {
        return f64::NAN;
    };
    let fields: Vec<f64> = rest
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    // After the bracket comes field 3 of proc(5); `first` counts from 0 there.
    fields.iter().skip(first - 2).take(2).sum::<f64>() / 100.0
}

fn peak(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(number_of(&status, "VmHWM:")? / 1024.0)
}
