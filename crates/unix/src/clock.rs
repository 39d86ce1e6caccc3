//! The time of day, beyond 2038 on every system.

use std::mem::MaybeUninit;
use std::time::Duration;

/// The time since the start of 1970 (UTC). Zero if the clock is set to before that, or
/// cannot be read: no certificate is valid then.
pub fn since_1970() -> Duration {
    wide().or_else(native).unwrap_or_default()
}

/// By the call that has 64 bits on every architecture. The C library's function may
/// have 32, and fails after 2038.
#[cfg(all(target_os = "linux", target_pointer_width = "32"))]
fn wide() -> Option<Duration> {
    const CLOCK_GETTIME64: libc::c_long = if cfg!(target_arch = "mips") {
        4403
    } else {
        403
    };
    let mut time = MaybeUninit::<[i64; 2]>::uninit();
    // SAFETY: the call writes two numbers of 64 bits. An architecture that numbers
    // calls in another way has none with this number.
    let done = unsafe { libc::syscall(CLOCK_GETTIME64, libc::CLOCK_REALTIME, time.as_mut_ptr()) };
    // SAFETY: the call has succeeded.
    let [seconds, nanos] = (done == 0).then(|| unsafe { time.assume_init() })?;
    Some(duration(unsigned(seconds, 8), nanos))
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "32")))]
const fn wide() -> Option<Duration> {
    None
}

/// By the C library.
fn native() -> Option<Duration> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the call writes the time.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, time.as_mut_ptr()) };
    // SAFETY: the call has succeeded.
    let time = (done == 0).then(|| unsafe { time.assume_init() })?;
    #[allow(clippy::unnecessary_cast, reason = "they have 32 bits on some systems")]
    let (seconds, nanos) = (time.tv_sec as i64, time.tv_nsec as i64);
    Some(duration(
        unsigned(seconds, size_of_val(&time.tv_sec)),
        nanos,
    ))
}

/// The seconds in a number of `size` bytes. One of 4 bytes counts on from 2038 to 2106
/// as a negative number. A negative one of 8 bytes is before 1970: 0.
fn unsigned(seconds: i64, size: usize) -> u64 {
    match size {
        4 => u64::from(seconds as u32),
        _ => u64::try_from(seconds).unwrap_or(0),
    }
}

fn duration(seconds: u64, nanos: i64) -> Duration {
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_32_bits_count_on_until_2106() {
        assert_eq!(unsigned(i64::from(i32::MAX), 4), 0x7fff_ffff);
        assert_eq!(unsigned(i64::from(i32::MIN), 4), 0x8000_0000);
        assert_eq!(unsigned(-1, 4), 0xffff_ffff);
    }

    #[test]
    fn seconds_of_64_bits_are_0_before_1970() {
        assert_eq!(unsigned(1 << 40, 8), 1 << 40);
        assert_eq!(unsigned(-1, 8), 0);
        assert_eq!(unsigned(i64::MIN, 8), 0);
    }

    #[test]
    fn time_is_that_of_the_standard_library() {
        #[allow(clippy::disallowed_methods, reason = "to compare with it")]
        let now = std::time::SystemTime::now();
        let before = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        for time in [since_1970(), native().unwrap()] {
            assert!(time >= before && time < before + Duration::from_secs(60));
        }
    }
}
