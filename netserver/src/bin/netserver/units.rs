//! Durations, sizes and counts as people write them, and read them.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

/// Reads a duration: a whole number and its unit, as `500ms`, `2s`, `1m`; or a bare `0`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "" if number == "0" => 0,
        _ => return Err("a duration is a whole number and ms, s, m or h, as in 500ms".to_owned()),
    };
    Ok(Duration::from_millis(scaled(number, millis_per_unit)?))
}

/// Reads a size in bytes: a whole number and its unit, as `16KiB`; without one, bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let bytes_per_unit = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("a size is a whole number and B, KiB, MiB or GiB, as in 16KiB".to_owned()),
    };
    scaled(number, bytes_per_unit)
}

/// [`size`], for what is held in memory.
pub(crate) fn memory_size(text: &str) -> Result<usize, String> {
    usize::try_from(size(text)?).map_err(|_| "is more than memory can hold".to_owned())
}

/// Reads how many of something.
pub(crate) fn count<N: FromStr>(text: &str) -> Result<N, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("it is a whole number".to_owned());
    }
    text.parse().map_err(|_| "is too large".to_owned())
}

/// [`count`], of threads.
pub(crate) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = NonZeroUsize::new(count(text)?).filter(|threads| threads.get() <= THREADS_MAX);
    threads.ok_or_else(|| format!("it is at least 1 and at most {THREADS_MAX}"))
}

/// More than any machine has processors; what is far above that is a mistake.
const THREADS_MAX: usize = 1024;

fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(digits)
}

fn scaled(number: &str, unit: u64) -> Result<u64, String> {
    if number.is_empty() {
        return Err("does not begin with a whole number".to_owned());
    }
    let number: Option<u64> = number.parse().ok();
    number.and_then(|number| number.checked_mul(unit)).ok_or_else(|| "is too large".to_owned())
}

/// A duration with its unit, in as many digits as are of use: `4.2 s`.
pub(crate) fn written(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        0.0 => "0 ms".to_owned(),
        ..1.0 => format!("{millis:.1} ms"),
        ..1e3 => format!("{millis:.0} ms"),
        ..1e4 => format!("{:.1} s", millis / 1e3),
        ..12e4 => format!("{:.0} s", millis / 1e3),
        ..72e5 => format!("{:.0} min", millis / 6e4),
        _ => format!("{:.0} h", millis / 36e5),
    }
}

/// A size with its unit: `4.2 MiB`.
#[allow(clippy::cast_precision_loss)] // three digits are shown
pub(crate) fn written_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.max(1).ilog2() as usize / 10).min(UNITS.len() - 1);
    let number = bytes as f64 / (1_u64 << (10 * unit)) as f64;
    let digits = usize::from(unit > 0 && number < 100.0);
    format!("{number:.digits$} {}", UNITS[unit])
}

/// A number with its thousands apart: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() + 2) % 3 + 1;
    let (head, tail) = digits.split_at(first.min(digits.len()));
    let groups = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group));
    groups.fold(head.to_owned(), |text, group| text + "," + &group)
}

/// So many of something: `1 connection`, `2 connections`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_its_unit() {
        let cases = [
            (0, "0 ms"),
            (300, "0.3 ms"),
            (4_000, "4 ms"),
            (4_200_000, "4.2 s"),
            (61_000_000, "61 s"),
            (300_000_000, "5 min"),
            (7_200_000_000, "2 h"),
        ];
        for (micros, text) in cases {
            assert_eq!(written(Duration::from_micros(micros)), text);
        }
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (150 << 10, "150 KiB"),
            (5 << 20, "5.0 MiB"),
            (3 << 30, "3.0 GiB"),
            (2 << 40, "2.0 TiB"),
            (9000 << 40, "9000 TiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(written_size(bytes), text);
        }
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(
            (counted(1, "turn"), counted(2000, "turn")),
            ("1 turn".into(), "2,000 turns".into())
        );
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        let cases = [("500ms", 500), ("2s", 2_000), ("1m", 60_000), ("1h", 3_600_000), ("0", 0)];
        for (text, millis) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "-5s", "1.5s", "s", "5 s", "5S", "2s3", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(duration("18446744073709551615h"), Err("is too large".to_owned()));
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        let cases =
            [("16KiB", 16 << 10), ("1MiB", 1 << 20), ("2GiB", 2 << 30), ("7B", 7), ("0", 0)];
        for (text, bytes) in cases {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "16kb", "16 KiB", "KiB", "-1", "1e3", "99999999999999999999"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_whole_numbers_and_threads_have_a_range() {
        assert_eq!((count::<u64>("0"), count::<u8>("255")), (Ok(0), Ok(255)));
        assert_eq!(count::<u8>("256"), Err("is too large".to_owned()));
        for text in ["", "-1", "+1", "1.0", "0x1", "many"] {
            assert_eq!(count::<u64>(text), Err("it is a whole number".to_owned()), "{text}");
        }
        for text in ["1", "1024"] {
            assert_eq!(threads(text).map(|n| n.to_string()), Ok(text.to_owned()));
        }
        for text in ["0", "1025", "99999999999", "99999999999999999999"] {
            assert!(threads(text).is_err(), "{text}");
        }
    }
}
