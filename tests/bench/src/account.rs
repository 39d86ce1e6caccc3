//! What processes have cost that others started.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use perf_event::events::Software;
use perf_event::{Builder, Counter};

use crate::Result;

/// Counters of the kernel that all processes inherit which this one starts. They count
/// what nobody waits for, too, which getrusage(2) does not.
pub struct Account {
    counters: Option<[Counter; 2]>,
}

impl Account {
    /// Begins with the next program that this process starts. Without permission for
    /// perf_event_open(2) the account is that of getrusage(2).
    pub fn open() -> Self {
        let counter = |event| {
            let mut builder = Builder::new().kind(event);
            builder.inherit(true).enable_on_exec(true).include_kernel();
            builder.build()
        };
        let clock = counter(Software::TASK_CLOCK);
        let counters = clock.and_then(|clock| Ok([clock, counter(Software::PAGE_FAULTS)?]));
        Self {
            counters: counters.ok(),
        }
    }

    /// What it is made by, for readers of the results.
    pub fn method(&self) -> &'static str {
        match self.counters {
            Some(_) => "perf_event_open(2)",
            None => "getrusage(2), without key guards and with the start of servers",
        }
    }

    /// Microseconds of CPU and page faults so far, and whether nothing is left out:
    /// getrusage(2) knows only processes that have ended and were waited for.
    pub fn read(&mut self) -> Result<(u64, u64, bool)> {
        if let Some([clock, faults]) = &mut self.counters {
            return Ok((clock.read()? / 1000, faults.read()?, true));
        }
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let spent = usage.user_time() + usage.system_time();
        let faults = usage.minor_page_faults() + usage.major_page_faults();
        let spent = spent.num_microseconds().try_into()?;
        Ok((spent, faults.try_into()?, false))
    }
}
