//! What a component is from outside, and what it takes: for its author.

use wasmtime::component::types::ComponentItem;

use super::{DecideError, Policy};

/// The world of `wit/v1`, as it is told.
const WORLD: &str = "token-policy";
/// Bytes of a page of a memory.
const PAGE: u64 = 65_536;

/// What a component is from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// The world that it is for.
    pub world: &'static str,
    /// The interfaces that it exports, each with its version and its functions.
    pub exports: Vec<String>,
    /// What it imports: nothing, or it would not be a policy.
    pub imports: Vec<String>,
    /// Size of its machine code and what belongs to it, in bytes.
    pub compiled_bytes: usize,
    /// Core modules in it that have a memory of their own.
    pub memories: u32,
    /// The largest memory that one of them asks for to begin with, in bytes.
    pub declared_bytes: Option<u64>,
}

/// What one call took of what is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes of all its memories together.
    pub memory_bytes: usize,
    /// Elements of all its tables together.
    pub table_elements: usize,
}

impl Policy {
    /// What the component is from outside.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let component = self.contract.component();
        let (engine, kind) = (self.engine.inner(), component.component_type());
        let mut exports = Vec::new();
        for (name, item) in kind.exports(engine) {
            exports.push(name.to_owned());
            if let ComponentItem::ComponentInstance(instance) = item.ty {
                let functions = instance.exports(engine).filter_map(|(function, item)| {
                    let is_function = matches!(item.ty, ComponentItem::ComponentFunc(_));
                    is_function.then(|| format!("{name}#{function}"))
                });
                exports.extend(functions.collect::<Vec<_>>());
            }
        }
        let imports = kind.imports(engine).map(|(name, _)| name.to_owned()).collect();
        let range = component.image_range();
        let needed = component.resources_required();
        Shape {
            world: WORLD,
            exports,
            imports,
            compiled_bytes: (range.end as usize).saturating_sub(range.start as usize),
            memories: needed.as_ref().map_or(0, |needed| needed.num_memories),
            declared_bytes: needed
                .and_then(|needed| needed.max_initial_memory_size)
                .map(|pages| pages.saturating_mul(PAGE)),
        }
    }

    /// What a call takes that does next to nothing.
    ///
    /// # Errors
    ///
    /// What kept the policy from saying what it is.
    pub fn usage(&self) -> Result<Usage, DecideError> {
        #[cfg(feature = "pooling")]
        let _room = self.engine.room();
        let mut store = self.store();
        self.within(&mut store, |store| self.contract.describe(store))?;
        let meter = store.data();
        Ok(Usage { memory_bytes: meter.memory, table_elements: meter.elements })
    }
}
