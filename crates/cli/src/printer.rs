//! The only place that writes to the terminal: stdout gets the result and nothing else, stderr everything else.

use std::{
    env,
    fmt::{self, Write as _},
    io::{self, IsTerminal, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;
use zkverdict::prover::Progress;

/// A command's result: JSON through serde, words through `render`.
pub(crate) trait Report: Serialize {
    /// The result in words, ending with a line end.
    fn render(&self, style: Style) -> String;
}

/// Whether to emphasise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    fn for_stream(is_terminal: bool) -> Self {
        let set = |name| env::var_os(name).is_some_and(|value: std::ffi::OsString| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colour: is_terminal && !dumb && !set("NO_COLOR"),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("1;32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.paint("1;33", text)
    }
}

/// Where everything goes.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    out: Style,
    err: Style,
    bars: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            json,
            out: Style::for_stream(io::stdout().is_terminal()),
            err: Style::for_stream(terminal),
            bars: terminal && !json,
        }
    }

    /// Prints the result.
    pub(crate) fn result<R: Report>(&self, report: &R) -> io::Result<()> {
        let text = if self.json {
            let mut text = serde_json::to_string_pretty(report).map_err(io::Error::other)?;
            text.push('\n');
            text
        } else {
            report.render(self.out)
        };
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // The reader has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Says something that is not the result.
    pub(crate) fn note(&self, text: &str) {
        self.line(&format!("{} {text}", self.err.dim("note:")));
    }

    pub(crate) fn warning(&self, text: &str) {
        self.line(&format!("{} {text}", self.err.warn("warning:")));
    }

    pub(crate) fn error(&self, text: &str) {
        self.line(&format!("{} {text}", self.err.bad("error:")));
    }

    pub(crate) fn cause(&self, text: &str) {
        self.line(&format!("  {} {text}", self.err.dim("because:")));
    }

    pub(crate) fn hint(&self, text: &str) {
        self.line(&format!("{} {text}", self.err.good("hint:")));
    }

    /// What clap has to say: help on stdout, mistakes on stderr, in clap's own colours.
    pub(crate) fn usage(error: &clap::Error) {
        // There is nothing left to tell if the terminal is gone.
        let _ = error.print();
    }

    fn line(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Asks on the terminal; anything but yes is no.
    pub(crate) fn confirm(&self, question: &str) -> bool {
        let _ = write!(io::stderr().lock(), "{} {question} [y/N] ", self.err.bold("?"));
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// Shows on a terminal that something is going on, until it is dropped.
    pub(crate) fn busy(&self, what: &str) -> Busy {
        let bar = if self.bars {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        } else {
            ProgressBar::hidden()
        };
        Busy { bar }
    }
}

/// How finely a bar moves.
const BAR_STEPS: u64 = 1_000;

impl Printer {
    /// Shows on a terminal how far keys or a proof are, until it is dropped. `expected_s` is the prediction of the time.
    pub(crate) fn steps(&self, what: &str, expected_s: f64) -> Steps {
        let estimate = Arc::new(Mutex::new(Estimate::new(expected_s)));
        let bar = if self.bars {
            let bar = ProgressBar::new(BAR_STEPS);
            let shared = Arc::clone(&estimate);
            let left = move |state: &ProgressState, text: &mut dyn fmt::Write| {
                if let Ok(estimate) = shared.lock() {
                    // Nothing can be done about a terminal that is gone.
                    let _ = write!(text, "{}", about(estimate.left_s(state.elapsed().as_secs_f64())));
                }
            };
            if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:20} {msg} {left:.dim}") {
                bar.set_style(style.with_key("left", left));
            }
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        } else {
            ProgressBar::hidden()
        };
        Steps {
            what: what.to_owned(),
            bar,
            estimate,
        }
    }
}

/// Seconds left in words.
fn about(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1.0 => "nearly done".to_owned(),
        seconds if seconds < 100.0 => format!("about {seconds:.0} s left"),
        seconds => format!("about {:.0} min left", seconds / 60.0),
    }
}

/// A bar with the stage and the time left.
#[derive(Debug)]
pub(crate) struct Steps {
    what: String,
    bar: ProgressBar,
    estimate: Arc<Mutex<Estimate>>,
}

impl Steps {
    /// Shows where the work is.
    pub(crate) fn at(&self, progress: Progress) {
        if let Ok(mut estimate) = self.estimate.lock() {
            estimate.report(progress.done, self.bar.elapsed().as_secs_f64());
        }
        self.bar.set_position((progress.done * BAR_STEPS as f64) as u64);
        self.bar
            .set_message(format!("{}: {}", self.what, progress.stage.name()));
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The time left: the prediction at first, then corrected by how fast the work has gone.
#[derive(Debug)]
struct Estimate {
    expected_s: f64,
    left_s: f64,
    at_s: f64,
}

impl Estimate {
    /// Work that must be done before its speed says more than the prediction.
    const SETTLED: f64 = 0.05;

    fn new(expected_s: f64) -> Self {
        Self {
            expected_s,
            left_s: expected_s,
            at_s: 0.0,
        }
    }

    /// After `elapsed_s` this share is done.
    fn report(&mut self, done: f64, elapsed_s: f64) {
        let total_s = match done {
            done if done > Self::SETTLED => elapsed_s / done,
            _ => self.expected_s,
        };
        // The speed counts as much as there is of it.
        let total_s = done * total_s + (1.0 - done) * self.expected_s.max(elapsed_s);
        self.left_s = (1.0 - done) * total_s;
        self.at_s = elapsed_s;
    }

    fn left_s(&self, elapsed_s: f64) -> f64 {
        (self.left_s - (elapsed_s - self.at_s)).max(0.0)
    }
}

/// A spinner.
#[derive(Debug)]
pub(crate) struct Busy {
    bar: ProgressBar,
}

impl Busy {
    /// Says what is going on now.
    pub(crate) fn now(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Lines of `name  value`, the names in one column.
pub(crate) fn pairs(style: Style, indent: usize, rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let name = format!("{name:<width$}");
        let _ = writeln!(text, "{:indent$}{}  {value}", "", style.dim(&name));
        text
    })
}

/// A table: the first column to the left, the others to the right. Rows that are `true` stand out.
pub(crate) fn table(style: Style, head: &[&str], rows: &[(bool, Vec<String>)]) -> String {
    let length = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = head.iter().map(|text| length(text)).collect();
    for (_, row) in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(length(cell));
        }
    }
    let line = |cells: &[String]| {
        let mut line = String::from(" ");
        for (index, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let _ = match index {
                0 => write!(line, " {cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        line.trim_end().to_owned()
    };
    let titles: Vec<String> = head.iter().map(|&text| text.to_owned()).collect();
    let mut text = format!("{}\n", style.dim(&line(&titles)));
    for (marked, row) in rows {
        let row = line(row);
        let row = if *marked { style.bold(&row) } else { row };
        let _ = writeln!(text, "{row}");
    }
    text
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in a unit that a person reads.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{} bytes", thousands(bytes)),
        10_000..10_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A compiler's version without the commit it was built from.
pub(crate) fn release(version: &str) -> &str {
    version.split('+').next().unwrap_or(version)
}

/// Seconds in a precision that a person reads.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 0.1 {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

/// An error of an output: two significant digits.
pub(crate) fn tiny(error: f64) -> String {
    if error == 0.0 {
        "0".to_owned()
    } else if error >= 0.1 {
        format!("{error:.2}")
    } else if error >= 1e-6 {
        let places = (1.0 - error.log10().floor()) as usize;
        format!("{error:.places$}")
    } else {
        format!("{error:.1e}")
    }
}

/// A value with six decimals at most.
pub(crate) fn real(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(size(2_208), "2,208 bytes");
        assert_eq!(size(1_534_000), "1534 kB");
        assert_eq!(tiny(0.000_234_5), "0.00023");
        assert_eq!(tiny(1.0e-9), "1.0e-9");
        assert_eq!(real(-0.0), "0");
        assert_eq!(real(0.25), "0.25");
        assert_eq!(real(3.0), "3");
        assert_eq!(seconds(0.0312), "31 ms");
    }

    #[test]
    fn the_time_left_follows_the_speed() {
        let mut estimate = Estimate::new(10.0);
        assert_eq!(estimate.left_s(0.0), 10.0);
        assert_eq!(estimate.left_s(4.0), 6.0);
        // As predicted.
        estimate.report(0.5, 5.0);
        assert_eq!(estimate.left_s(5.0), 5.0);
        // Half as fast.
        estimate.report(0.5, 10.0);
        assert_eq!(estimate.left_s(10.0), 7.5);
        assert_eq!(estimate.left_s(30.0), 0.0);
        estimate.report(1.0, 20.0);
        assert_eq!(estimate.left_s(20.0), 0.0);
        assert_eq!(about(0.4), "nearly done");
        assert_eq!(about(12.3), "about 12 s left");
        assert_eq!(about(150.0), "about 2 min left");
    }

    #[test]
    fn tables_align() {
        let style = Style { colour: false };
        let rows = [(false, vec!["a".to_owned(), "10".to_owned()])];
        assert_eq!(table(style, &["name", "n"], &rows), "  name   n\n  a     10\n");
    }
}
