//! The figures as bars, light where the reader's screen is dark. A tenth of the width is a factor of
//! the same size everywhere: what differs by thousands stays readable.

use precedent_bench::{
    Figures,
    tables::{OURS, PROCESS, TIME},
    words,
};

const LEFT: f64 = 210.0;
const WIDTH: f64 = 720.0;
const ROW: f64 = 22.0;

struct Bar {
    name: String,
    nanos: f64,
    ours: bool,
}

/// Two charts, one below the other.
pub(crate) fn draw(figures: &Figures) -> String {
    let decisions = figures.rows(TIME).into_iter().filter_map(|row| {
        let nanos = figures.get(TIME, row, "12")?;
        Some(Bar { name: row.to_owned(), nanos, ours: row.starts_with(OURS) })
    });
    let foreign = ["true", "node -e 0", "the chart's script"];
    let processes = figures.rows(PROCESS).into_iter().filter_map(|row| {
        let nanos = figures.get(PROCESS, row, "time")?;
        Some(Bar { name: row.to_owned(), nanos, ours: !foreign.contains(&row) })
    });
    let mut y = 0.0;
    let mut body = chart("One decision, 12 places, logarithmic", decisions.collect(), &mut y);
    body.push_str(&chart("A whole process, logarithmic", processes.collect(), &mut y));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" role=\"img\">\n\
         <title>Time of one decision and of whole processes, on a logarithmic scale</title>\n\
         <style>text {{ fill: #1f2328 }} .title {{ font-weight: 600 }} rect {{ fill: #8c959f }} \
         .ours {{ fill: #1a7f37 }}\n@media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} \
         rect {{ fill: #6e7681 }} .ours {{ fill: #3fb950 }} }}</style>\n{body}</svg>\n"
    )
}

fn chart(title: &str, mut bars: Vec<Bar>, y: &mut f64) -> String {
    bars.sort_by(|one, other| one.nanos.total_cmp(&other.nanos));
    let least = bars.iter().map(|bar| bar.nanos).fold(f64::INFINITY, f64::min) / 2.0;
    let most = bars.iter().map(|bar| bar.nanos).fold(0.0, f64::max);
    let room = WIDTH - LEFT - 80.0;
    *y += 24.0;
    let mut out = format!("<text class=\"title\" x=\"8\" y=\"{y:.0}\">{title}</text>\n");
    *y += 10.0;
    for bar in &bars {
        let width = room * (bar.nanos / least).ln() / (most / least).ln();
        let (class, base) = (if bar.ours { " class=\"ours\"" } else { "" }, *y + 15.0);
        out.push_str(&format!(
            "<text x=\"{:.0}\" y=\"{base:.0}\" text-anchor=\"end\">{}</text>\
             <rect{class} x=\"{LEFT}\" y=\"{:.0}\" width=\"{width:.0}\" height=\"14\"/>\
             <text x=\"{:.0}\" y=\"{base:.0}\">{}</text>\n",
            LEFT - 8.0,
            bar.name,
            *y + 4.0,
            LEFT + width + 6.0,
            words::time(bar.nanos),
        ));
        *y += ROW;
    }
    *y += 10.0;
    out
}
