//! The contestants, each with the reference policy in its own language.
//!
//! | module | what |
//! |---|---|
//! | `isolated` | Precedent: a component, a fresh instance each time; and one that is kept |
//! | `native` | the policy of the component, without WebAssembly |
//! | `rego` | regorus, its virtual machine and its interpreter |
//! | `plugin` | Extism, a fresh plugin each time and one that is kept |
//! | `cedar` | Cedar, a question for each program and place |

mod cedar;
mod isolated;
mod native;
mod plugin;
mod rego;

use anyhow::Result;

use crate::contestant::Contestant;
use isolated::{Isolated, Language, Warm};

/// The contestants that can be had, and of the others why they cannot.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) contestants: Vec<Box<dyn Contestant>>,
    pub(crate) missing: Vec<String>,
}

impl Field {
    /// Loads everybody.
    pub(crate) fn load() -> Result<Self> {
        let mut field = Self {
            contestants: vec![
                Box::new(native::Native::given()),
                Box::new(native::Native::copying()),
                Box::new(Isolated::rust()?),
                Box::new(Isolated::on_demand()?),
                Box::new(Warm::rust()?),
                Box::new(plugin::Extism::fresh()?),
                Box::new(plugin::Extism::kept()?),
                Box::new(rego::Machine::load()?),
                Box::new(rego::Machine::with_values()?),
                Box::new(rego::Interpreter::load()?),
                Box::new(cedar::Cedar::load()?),
            ],
            missing: Vec::new(),
        };
        for language in [Language::JavaScript, Language::Python] {
            match Isolated::of(language)? {
                Some(contestant) => field.contestants.push(Box::new(contestant)),
                None => field.missing.push(format!(
                    "{} is missing: its component was not built, which takes {} (`benches/run`)",
                    language.name(),
                    language.tool(),
                )),
            }
        }
        Ok(field)
    }
}
