//! A gateway's state directory, and the folders in which Precedent keeps its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The token that the Secret holds now. Those that the volume holds are stale.
pub(crate) const TOKEN: &str = "canary-of-this-week";
const STALE: &str = "canary-of-last-week";

/// The recorded input of a pod that starts again after its Secret was rotated.
const RECORDED: &str = include_str!("../../tests/corpus/helm-init-cases.json");
const CASE: &str = "03-restart-stale";

/// One home of a gateway.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// An empty one.
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        remove(&folder)?;
        fs::create_dir_all(folder.join(".openclaw"))
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    fn config(&self) -> PathBuf {
        self.0.join(".openclaw").join("openclaw.json")
    }

    /// Puts the stale configuration there.
    pub(crate) fn make_stale(&self) -> Result<()> {
        let stale = recorded(|case| &case["input"]["pvc"]["openclaw.json"])?;
        ensure!(stale.contains("STALE"), "{CASE} has no stale token");
        Ok(fs::write(self.config(), stale.replace("STALE", STALE))?)
    }

    /// Writes a manifest for a policy of one's own, which is granted nothing unless it says so.
    pub(crate) fn adopt(&self, policy: &Path) -> Result<PathBuf> {
        let manifest = self.0.join("precedent.toml");
        let text = format!(
            "[deployment]\npreset = \"openclaw\"\n\n[policy]\nfile = {:?}\n\n\
             [grants]\nwrite = [\"config.auth-token\", \"config.remote-token\"]\n",
            policy.display().to_string(),
        );
        fs::write(&manifest, text)?;
        Ok(manifest)
    }

    /// Fails unless the configuration is as the chart's script left the recorded one: on this input
    /// nothing else is right either.
    pub(crate) fn is_repaired(&self) -> Result<()> {
        let expected = recorded(|case| &case["expected"]["head"]["file"])?.replace("TOK-B", TOKEN);
        let found = fs::read_to_string(self.config())?;
        ensure!(found == expected, "{} is not as it should be", self.config().display());
        Ok(())
    }

    /// Forgets what Precedent knows of it: the key and the journal.
    pub(crate) fn forget_state(&self) -> Result<()> {
        remove(&self.state())
    }

    /// Fails where something was compiled, for that is kept.
    pub(crate) fn compiled_nothing(&self) -> Result<()> {
        ensure!(!self.cache().exists(), "{} is there", self.cache().display());
        Ok(())
    }

    /// Forgets what was compiled.
    pub(crate) fn forget_compiled(&self) -> Result<()> {
        remove(&self.cache())
    }
}

fn recorded(part: impl Fn(&Value) -> &Value) -> Result<String> {
    let recorded: Value = serde_json::from_str(RECORDED)?;
    let cases = recorded["cases"].as_array().into_iter().flatten();
    let case = cases.into_iter().find(|case| case["id"] == CASE);
    let text = case.and_then(|case| part(case).as_str());
    text.map(str::to_owned).with_context(|| format!("{CASE} is not in the recorded cases"))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
