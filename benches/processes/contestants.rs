//! The processes that are compared, each with what is put right before it and looked at after it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use precedent_bench::tables::{NODE, TRUE};

use crate::{
    home::Home,
    run::{Taken, command, run},
};

/// The released builds, and a policy in a file.
#[derive(Debug)]
pub(crate) struct Builds {
    pub(crate) full: PathBuf,
    pub(crate) init: PathBuf,
    pub(crate) policy: PathBuf,
}

impl Builds {
    /// What `deploy/release` built.
    pub(crate) fn find(root: &Path) -> Result<Self> {
        let dist = root.join("target").join("dist");
        // The guests of the host's build script: the policy `helm` as anybody's own would be.
        let guests = root.join("target/guests/wasm32-unknown-unknown/release");
        let builds = Self {
            full: dist.join("precedent"),
            init: dist.join("precedent-init"),
            policy: guests.join("precedent_policy_helm.wasm"),
        };
        for file in [&builds.full, &builds.init, &builds.policy] {
            if !file.is_file() {
                bail!("{} is missing; `deploy/release` makes it", file.display());
            }
        }
        Ok(builds)
    }
}

/// A process that takes part.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    home: Home,
    program: PathBuf,
    arguments: Vec<String>,
    before: Vec<Step>,
    after: Option<Step>,
}

type Step = fn(&Home) -> Result<()>;

impl Contestant {
    fn new(name: &'static str, scene: &Path, program: &Path, arguments: &str) -> Result<Self> {
        let home = Home::new(scene.join(name.replace([' ', ',', '\''], "-")))?;
        home.make_stale()?;
        let arguments = arguments.split_whitespace().map(str::to_owned).collect();
        let (program, before, after) = (program.to_owned(), Vec::new(), None);
        Ok(Self { name, home, program, arguments, before, after })
    }

    fn before(mut self, step: Step) -> Self {
        self.before.push(step);
        self
    }

    fn after(mut self, step: Step) -> Self {
        self.after = Some(step);
        self
    }

    /// Runs it once, after what is to be before and before what is to be after.
    pub(crate) fn run(&self) -> Result<Taken> {
        self.before.iter().try_for_each(|step| step(&self.home))?;
        let taken = run(command(&self.program, &self.home).args(&self.arguments))?;
        self.after.map_or(Ok(()), |step| step(&self.home))?;
        Ok(taken)
    }
}

/// Everybody. `scene` is where their homes go.
pub(crate) fn all(scene: &Path, builds: &Builds) -> Result<Vec<Contestant>> {
    let Builds { full, init, policy } = builds;
    let of =
        |name, program: &Path, arguments: &str| Contestant::new(name, scene, program, arguments);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/processes/init.sh");
    let explain = "explain --policy helm";
    let apply = "apply --policy helm --phase start";
    let own = |name| {
        let mut own = of(name, full, "explain --manifest")?;
        own.arguments.push(own.home.adopt(policy)?.display().to_string());
        anyhow::Ok(own)
    };
    Ok(vec![
        of(TRUE, Path::new("/bin/true"), "")?,
        of(NODE, &node()?, "-e 0")?,
        of("the chart's script", Path::new("/bin/sh"), script)?
            .before(Home::make_stale)
            .after(Home::is_repaired),
        of("explain", full, explain)?,
        of("explain, init build", init, explain)?,
        of("apply, in sync", full, apply)?.after(Home::is_repaired),
        of("apply, in sync, init build", init, apply)?.after(Home::is_repaired),
        of("apply, stale", full, apply)?.before(Home::make_stale).after(Home::is_repaired),
        of("apply, stale, init build", init, apply)?
            .before(Home::make_stale)
            .after(Home::is_repaired),
        of("first start", full, explain)?
            .before(Home::forget_state)
            .before(Home::forget_compiled)
            .after(Home::compiled_nothing),
        of("first start, init build", init, explain)?
            .before(Home::forget_state)
            .before(Home::forget_compiled)
            .after(Home::compiled_nothing),
        own("own policy, nothing kept")?.before(Home::forget_compiled),
        own("own policy, compiled kept")?,
    ])
}

/// The program itself: a wrapper of a version chooser would be measured too.
fn node() -> Result<PathBuf> {
    let asked = std::process::Command::new("node").args(["-p", "process.execPath"]).output();
    match asked {
        Ok(said) if said.status.success() => {
            Ok(PathBuf::from(String::from_utf8(said.stdout)?.trim()))
        }
        _ => bail!("node is missing: install Node.js 20 or newer"),
    }
}
