//! A file for Prometheus' textfile collector.

use std::{fs::Permissions, io::Write, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, Result};
use precedent::{Impact, Proposal};
use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Labels, Metric, found};

/// Writes what was found into a file, in one step, for any collector to read.
///
/// # Errors
///
/// Where the file cannot be written.
#[allow(clippy::disallowed_methods, reason = "the user names the file to keep the metrics in")]
pub(crate) fn write(path: &Path, proposal: &Proposal, impact: Option<&Impact>) -> Result<()> {
    let text = text(found(proposal, impact));
    let keep = || -> std::io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    keep().with_context(|| format!("cannot write the metrics to {}", path.display()))
}

fn text(metrics: Vec<Metric>) -> String {
    let mut registry = Registry::with_prefix("precedent");
    for Metric { name, help, numbers } in metrics {
        let family = Family::<Labels, Gauge>::default();
        for (labels, number) in numbers {
            family.get_or_create(&labels).set(number);
        }
        registry.register(name, help, family);
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}
