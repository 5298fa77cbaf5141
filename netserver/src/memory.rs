//! How much memory the process has, as the system sees it.

/// Bytes of physical memory; `None` where the system does not tell.
pub(crate) fn resident_bytes() -> Option<u64> {
    // In whole kilobytes, and without asking for the size of a page first: proc(5).
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn a_running_process_has_some() {
        let bytes = super::resident_bytes().expect("Linux tells");
        assert!(bytes > 100_000, "{bytes}");
    }
}
