//! What was to be reached, and what was.

use precedent_bench::{
    Figures,
    tables::{CASES, DIRECTORIES, DISK, OURS, PROCESS, RATE, SIZE, TIME, TO_NATIVE, TO_OURS},
    words,
};

/// One of them.
struct Goal {
    what: &'static str,
    bound: Bound,
    unit: fn(f64) -> String,
    reached: Option<f64>,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

use Bound::{AtLeast, AtMost};

/// The goals as a table.
pub(crate) fn table(figures: &Figures) -> String {
    let head = ["what", "goal", "measured", "reached"].map(str::to_owned);
    let rows = goals(figures).into_iter().map(|goal| {
        let (bound, is_met): (_, fn(f64, f64) -> bool) = match goal.bound {
            AtMost(bound) => (bound, |reached, bound| reached <= bound),
            AtLeast(bound) => (bound, |reached, bound| reached >= bound),
        };
        let more = if matches!(goal.bound, AtMost(_)) { "or less" } else { "or more" };
        let (measured, met) = match goal.reached {
            None => ("not measured".to_owned(), "—"),
            Some(reached) => {
                ((goal.unit)(reached), if is_met(reached, bound) { "yes" } else { "no" })
            }
        };
        vec![
            goal.what.to_owned(),
            format!("{} {more}", round((goal.unit)(bound))),
            measured,
            met.to_owned(),
        ]
    });
    words::table(&head, &rows.collect::<Vec<_>>())
}

/// A goal is a round number.
fn round(bound: String) -> String {
    bound.replace(".00", "").replace(".0", "")
}

fn goals(figures: &Figures) -> Vec<Goal> {
    const MIB: f64 = 1024.0 * 1024.0;
    let get = |table, row, column| figures.get(table, row, column);
    let over = |of: Option<f64>, to: Option<f64>| Some(of? / to?);
    let goal = |what, bound, unit, reached| Goal { what, bound, unit, reached };
    let native = |places| get(TO_NATIVE, OURS, places);
    let process = |name, column| get(PROCESS, name, column);
    let javascript = "precedent, JavaScript";
    let interpreted = get(TIME, "regorus, interpreter", "12");
    let node = over(process("node -e 0", "time"), process("explain", "time"));
    let apply = |count: &str| figures.get(DIRECTORIES, "apply, each", count);
    let disk = |row| get(DISK, row, "apply, stale");
    let times: fn(f64) -> String = words::times;
    vec![
        goal("isolated decision, native being 1", AtMost(5.0), times, native("12")),
        goal("the same at 1,000 places", AtMost(3.0), times, native("1000")),
        goal("the same at 10,000 places", AtMost(2.4), times, native("10000")),
        goal(
            "regorus (RVM), the decision being 1",
            AtLeast(50.0),
            times,
            get(TO_OURS, "regorus, RVM", "12"),
        ),
        goal(
            "extism (fresh plugin), the decision being 1",
            AtLeast(20.0),
            times,
            get(TO_OURS, "extism, fresh plugin", "12"),
        ),
        goal(
            "policy in JavaScript, isolated",
            AtMost(200e3),
            words::time,
            get(TIME, javascript, "12"),
        ),
        goal(
            "regorus interpreted, the policy in JavaScript being 1",
            AtLeast(8.0),
            times,
            over(interpreted, get(TIME, javascript, "12")),
        ),
        goal("whole `explain`, `true` being 1", AtMost(3.0), times, process("explain", "to true")),
        goal("`node -e 0`, `explain` being 1", AtLeast(20.0), times, node),
        goal("memory of `explain`", AtMost(8.0 * MIB), words::size, process("explain", "memory")),
        goal(
            "own policy, nothing kept",
            AtMost(40e6),
            words::time,
            process("own policy, nothing kept", "time"),
        ),
        goal(
            "own policy, compiled kept",
            AtMost(2e6),
            words::time,
            process("own policy, compiled kept", "time"),
        ),
        goal(
            "`precedent-init`",
            AtMost(3.0 * MIB),
            words::size,
            get(SIZE, "precedent-init", "size"),
        ),
        goal("decisions a second, 2 threads", AtLeast(200e3), words::count, get(RATE, OURS, "2")),
        goal(
            "`precedent test`, cases a second",
            AtLeast(20e3),
            words::count,
            get(CASES, "precedent test", "cases a second"),
        ),
        goal(
            "`apply` of one of 10,000 state directories, of 10 being 1",
            AtMost(1.2),
            times,
            over(apply("10000"), apply("10")),
        ),
        goal(
            "of an `apply`, waiting for the disk",
            AtLeast(0.5),
            |part| format!("{:.0} %", part * 100.0),
            over(disk("of it waiting for the disk"), disk("whole process")),
        ),
    ]
}
