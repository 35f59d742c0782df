//! Who works: the names of processes in leases and attempts, and whether one of them still lives.

/// Names this process: host, process id and the process's start, so that a dead owner can be told from a
/// living one that got the same number.
pub fn owner() -> String {
    let host =
        std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    let pid = std::process::id();
    format!(
        "{}/{pid}/{}",
        host.as_deref().unwrap_or("host"),
        started(pid).unwrap_or_default()
    )
}

/// True if an owner is of this host and its process is no more.
pub fn is_dead(owner: &str) -> bool {
    is_dead_beside(owner, &self::owner())
}

/// As [`is_dead`], seen from the process `own`. Where the kernel does not tell when processes started, nobody is taken
/// for dead: the lease tells, later.
fn is_dead_beside(owner: &str, own: &str) -> bool {
    let mut parts = owner.rsplitn(3, '/');
    let (Some(start), Some(pid), Some(host)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let mut mine = own.rsplitn(3, '/');
    let (own_start, own_host) = (mine.next().unwrap_or_default(), mine.nth(1));
    if own_host != Some(host) || own_start.is_empty() || start.is_empty() {
        return false;
    }
    let Ok(pid) = pid.parse::<u32>() else {
        return false;
    };
    started(pid).as_deref() != Some(start)
}

/// The start time of a process in the kernel's ticks; `None` if there is no such process.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold spaces; the start is the 20th field behind it.
    let fields = stat.rsplit_once(')')?.1;
    // A zombie has ended, it is only not yet buried.
    (!fields.trim_start().starts_with('Z'))
        .then(|| fields.split_whitespace().nth(19).map(str::to_owned))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_host_that_surely_ended_is_dead() {
        let own = owner();
        assert!(!is_dead(&own));
        let parts: Vec<&str> = own.rsplitn(3, '/').collect();
        let (start, pid, host) = (parts[0], parts[1], parts[2]);
        assert!(!start.is_empty(), "{own}");
        assert!(is_dead(&format!("{host}/{pid}/1")));
        assert!(!is_dead(&format!("elsewhere/{pid}/1")));
        assert!(!is_dead(&format!("{host}/{pid}/")));
        assert!(!is_dead_beside(
            &format!("{host}/{pid}/1"),
            &format!("{host}/{pid}/")
        ));
    }
}
