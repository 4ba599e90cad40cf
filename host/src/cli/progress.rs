//! How far something has come that takes long, on a terminal.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less is done before anybody has read how far it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows how many of so many are done, on standard error, once it has taken a second. Nothing where
/// that is no terminal.
pub(crate) fn of(total: usize, what: &'static str) -> ProgressBar {
    let style = "{elapsed_precise} {bar:32} {human_pos} of {human_len} {msg} ({eta} left)";
    shown_late(Some(total as u64), what.to_owned(), style)
}

/// The same where nobody knows how many there will be.
pub(crate) fn counting(what: &'static str) -> ProgressBar {
    shown_late(None, what.to_owned(), "{elapsed_precise} {spinner} {human_pos} {msg}")
}

/// Does what takes long under a line that says what it is, and for how long already.
pub(crate) fn during<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let line = shown_late(None, what.to_owned(), "{spinner} {msg} {elapsed}");
    line.enable_steady_tick(Duration::from_millis(100));
    let done = work();
    line.finish_and_clear();
    done
}

fn shown_late(total: Option<u64>, what: String, style: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_message(what);
    let shown = bar.downgrade();
    // The bar is gone where the work was done in time.
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        if let Some(bar) = shown.upgrade().filter(|bar| !bar.is_finished()) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    });
    bar
}
