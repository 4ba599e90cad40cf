//! Extism: the policy as a plugin that takes JSON and gives JSON. Making the one and reading the other
//! is part of asking it, for that is its interface.

use std::time::Duration;

use anyhow::Result;
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use precedent_bench_extism::request::{Decision, Request};

use crate::{
    contestant::{Asking, Contestant, With},
    request::Asked,
};

const FUNCTION: &str = "decision";
/// 64 MiB.
const PAGES: u32 = 1024;

/// Compiled once, with a deadline and a bound on memory.
fn compiled() -> Result<CompiledPlugin> {
    let plugin = include_bytes!(env!("REFERENCE_PLUGIN"));
    let manifest = Manifest::new([Wasm::data(plugin.as_slice())])
        .with_memory_max(PAGES)
        .with_timeout(Duration::from_secs(10));
    PluginBuilder::new(manifest).with_cache_disabled().compile()
}

fn ask(plugin: &mut Plugin, request: &Request) -> Result<Decision> {
    let answer = plugin.call::<Vec<u8>, &[u8]>(FUNCTION, serde_json::to_vec(request)?)?;
    Ok(serde_json::from_slice(answer)?)
}

/// The policy as a plugin, fresh for each decision or one for all of a thread.
pub(crate) struct Extism {
    name: &'static str,
    compiled: CompiledPlugin,
    kept: bool,
}

impl Extism {
    pub(crate) fn fresh() -> Result<Self> {
        Ok(Self { name: "extism, fresh plugin", compiled: compiled()?, kept: false })
    }

    pub(crate) fn kept() -> Result<Self> {
        Ok(Self { name: "extism, plugin kept", compiled: compiled()?, kept: true })
    }

    fn plugin(&self) -> Result<Plugin> {
        Plugin::new_from_compiled(&self.compiled)
    }
}

impl Contestant for Extism {
    fn name(&self) -> &'static str {
        self.name
    }

    fn ready<'c>(&'c self, asked: &'c Asked) -> Result<Box<dyn Asking + 'c>> {
        let mut kept = self.kept.then(|| self.plugin()).transpose()?;
        let ask = move |()| match &mut kept {
            Some(plugin) => ask(plugin, &asked.plain),
            None => ask(&mut self.plugin()?, &asked.plain),
        };
        Ok(Box::new(With { make: || (), ask, plain: Ok }))
    }
}
