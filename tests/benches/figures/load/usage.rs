//! Memory and CPU time of processes, as Linux tells them under /proc.

use std::{collections::BTreeMap, fs};

use super::{Failure, processes::Part};

/// Of CPU time in /proc: a part of Linux's interface (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory and CPU time by part.
#[derive(Debug, Default)]
pub(super) struct Usage(BTreeMap<Part, Used>);

#[derive(Debug, Default)]
struct Used {
    memory_kb: f64,
    cpu_ms: f64,
}

impl Usage {
    /// One process: of several of a part, the most memory that any of them ever held and the CPU time of all.
    pub(super) fn add_process(&mut self, part: Part, pid: u32) -> Result<(), Failure> {
        let used = self.0.entry(part).or_default();
        used.memory_kb = used.memory_kb.max(line_kb(&format!("/proc/{pid}/status"), "VmHWM:")?);
        used.cpu_ms += Stat::of(pid)?.own_ms();
        Ok(())
    }

    /// A process and those that it started: memory that they share counts once, CPU time of those that ended counts too.
    pub(super) fn add_family(&mut self, part: Part, pid: u32) -> Result<(), Failure> {
        let used = self.0.entry(part).or_default();
        let parent = Stat::of(pid)?;
        used.cpu_ms += parent.own_ms() + parent.ended_children_ms();
        used.memory_kb += line_kb(&format!("/proc/{pid}/smaps_rollup"), "Pss:")?;
        for child in pids()? {
            // Those that end meanwhile are among the ended ones the next time.
            let Ok(stat) = Stat::of(child) else { continue };
            if stat.parent() == Some(pid) {
                used.cpu_ms += stat.own_ms();
                used.memory_kb +=
                    line_kb(&format!("/proc/{child}/smaps_rollup"), "Pss:").unwrap_or_default();
            }
        }
        Ok(())
    }

    /// The CPU time that was used since.
    pub(super) fn since(mut self, before: &Self) -> Self {
        for (part, used) in &mut self.0 {
            used.cpu_ms -= before.cpu_ms(*part);
        }
        self
    }

    pub(super) fn cpu_ms(&self, part: Part) -> f64 {
        self.0.get(&part).map_or(0.0, |used| used.cpu_ms)
    }

    pub(super) fn memory_mb(&self, part: Part) -> f64 {
        self.0.get(&part).map_or(0.0, |used| used.memory_kb * 1_024.0 / 1e6)
    }
}

/// The process that started this one.
pub(super) fn parent(pid: u32) -> Result<u32, Failure> {
    Stat::of(pid)?.parent().ok_or_else(|| "no parent".into())
}

/// The process of the broker at `host:port`.
pub(super) fn broker(address: &str) -> Result<u32, Failure> {
    let is_it = |pid: &u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = line.split('\0').skip_while(|argument| *argument != "kafka.Kafka");
        let settings = arguments.nth(1).map(fs::read_to_string);
        settings.is_some_and(|text| text.is_ok_and(|text| text.contains(address)))
    };
    pids()?.into_iter().find(is_it).ok_or_else(|| "the broker's process is not found".into())
}

fn pids() -> Result<Vec<u32>, Failure> {
    let entries = fs::read_dir("/proc")?.flatten();
    Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

fn line_kb(path: &str, name: &str) -> Result<f64, Failure> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no such line")?.parse()?)
}

/// The fields of /proc/PID/stat from the third on (proc_pid_stat(5)).
struct Stat(Vec<i64>);

impl Stat {
    fn of(pid: u32) -> Result<Self, Failure> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The second field, a name in brackets, may hold anything.
        let (_, rest) = text.rsplit_once(')').ok_or("no stat")?;
        // The first of the rest is a letter.
        Ok(Self(rest.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect()))
    }

    /// Field 4.
    fn parent(&self) -> Option<u32> {
        self.0.get(1).and_then(|&pid| u32::try_from(pid).ok())
    }

    /// Fields 14 and 15.
    fn own_ms(&self) -> f64 {
        self.ms(11) + self.ms(12)
    }

    /// Fields 16 and 17: of children that ended and were waited for.
    fn ended_children_ms(&self) -> f64 {
        self.ms(13) + self.ms(14)
    }

    fn ms(&self, index: usize) -> f64 {
        self.0.get(index).copied().unwrap_or_default() as f64 * 1e3 / TICKS_PER_SECOND
    }
}
