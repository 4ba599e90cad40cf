//! From what was measured to `docs/performance.md`, between its markers, and to the picture beside it.
//!
//! | module | what |
//! |---|---|
//! | `goals` | what was to be reached, and what was |
//! | `machine` | on what it was measured, and with what |
//! | `picture` | the figures as bars |

mod goals;
mod machine;
mod picture;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use precedent_bench::{Figures, tables};

const BEGIN: &str = "<!-- figures: written by benches/run -->\n";
const END: &str = "<!-- end of figures -->\n";

fn main() -> Result<()> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let kept = here.join("target").join("figures");
    let mut figures = Figures::load(&kept.join("decisions.json"))?;
    figures.extend(Figures::load(&kept.join("processes.json"))?);
    figures.extend(Figures::load(&kept.join("fleet.json"))?);

    let docs = here.join("../docs");
    let page = docs.join("performance.md");
    let text =
        fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let failed = || format!("{} lacks the markers of the figures", page.display());
    let (before, rest) = text.split_once(BEGIN).with_context(failed)?;
    let (_, after) = rest.split_once(END).with_context(failed)?;
    let block = block(&figures, &here)?;
    fs::write(&page, format!("{before}{BEGIN}{block}{END}{after}"))?;
    fs::write(docs.join("performance.svg"), picture::draw(&figures))?;
    Ok(())
}

fn block(figures: &Figures, here: &std::path::Path) -> Result<String> {
    let picture = "![Time of one decision, and of whole processes](performance.svg)";
    let mut out = format!("\n{picture}\n\n{}\n", machine::words(here)?);
    let mut section = |heading: &str, lead: &str, table: String, of: &str| {
        let notes: String = figures.notes(of).iter().map(|note| format!("\n- {note}\n")).collect();
        out.push_str(&format!("\n### {heading}\n\n{lead}\n\n{table}{notes}"));
    };
    section("Goals", "", goals::table(figures), "");
    section(
        "One decision",
        "Median, and how many times the native policy's it is, by places in the request.",
        tables::times(figures),
        tables::TIME,
    );
    section(
        "One decision, Precedent's being 1",
        "Median of the ratios round by round.",
        tables::ratios(figures),
        "",
    );
    section(
        "Decisions a second",
        "On the reference request, by threads that share what was loaded.",
        tables::rates(figures),
        tables::RATE,
    );
    section(
        "Memory of one decision",
        "On the reference request: the heap at its peak, and pages that the system had to map anew.",
        tables::memory(figures),
        tables::MEMORY,
    );
    section(
        "Whole processes",
        "From start to end: median time, median of the most memory, and how many times `true` and \
         `node -e 0` it is.",
        tables::processes(figures),
        tables::PROCESS,
    );
    section("Size of the programs", "", tables::sizes(figures), "");
    section(
        "Many state directories",
        "Time for each, one process after the other, by how many there are.",
        tables::directories(figures),
        tables::DIRECTORIES,
    );
    section(
        "A fleet",
        "Of so many nodes, on an etcd of one member beside it: until every node has its assignment, \
         and until a change of one has come to something, a quiet moment of 200 ms included.",
        tables::fleet(figures),
        tables::FLEET,
    );
    section("What stands in its store", "", tables::fleet_bytes(figures), tables::FLEET_BYTES);
    section("What waits for the disk", "Mean of 20.", tables::disk(figures), "");
    out.push('\n');
    // A section without a lead has one empty line, not three.
    Ok(out.replace("\n\n\n\n", "\n\n").replace("\n\n\n", "\n\n"))
}
