//! A policy's three functions. Compiled once for each version that has them: `super` is the version.
//!
//! Each call makes an instance and looks for the one function that it calls: to look for all three, as
//! the generated bindings do, takes longer than the rest of a small decision.

use wasmtime::{
    Store,
    component::{ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Lower, TypedFunc},
};

#[cfg(feature = "workbench")]
use super::super::Instance;
use super::{
    super::{Call, Contract},
    bindings::TokenPolicyPre,
    decision, refusal, shown, wit,
};
use crate::{
    decide::{About, Answer, limits::Meter},
    model::Snapshot,
};

/// A component, and where its functions are.
struct Functions {
    component: InstancePre<Meter>,
    describe: ComponentExportIndex,
    validate_settings: ComponentExportIndex,
    decide: ComponentExportIndex,
}

/// Finds the functions in a component, below the interface that is called so.
pub(in crate::decide::contract) fn bind(
    component: InstancePre<Meter>,
    interface: &str,
) -> wasmtime::Result<Box<dyn Contract>> {
    // Sees that they are there, with the types that they should have.
    TokenPolicyPre::new(component.clone())?;
    let find = |name: &str| {
        let found = component.component();
        let below = found.get_export_index(None, interface);
        let index = below.and_then(|below| found.get_export_index(Some(&below), name));
        index.ok_or_else(|| wasmtime::Error::msg(format!("no `{name}` in `{interface}`")))
    };
    let (describe, decide) = (find("describe")?, find("decide")?);
    let validate_settings = find("validate-settings")?;
    Ok(Box::new(Functions { component, describe, validate_settings, decide }))
}

impl Functions {
    /// A function of a fresh instance.
    fn of_fresh<Params, Return>(
        &self,
        store: &mut Store<Meter>,
        function: &ComponentExportIndex,
    ) -> wasmtime::Result<TypedFunc<Params, Return>>
    where
        Params: ComponentNamedList + Lower,
        Return: ComponentNamedList + Lift,
    {
        self.component.instantiate(&mut *store)?.get_typed_func(&mut *store, function)
    }
}

fn answered(answer: Result<wit::Decision, wit::Refusal>) -> wasmtime::Result<Answer> {
    Ok(match answer {
        Ok(said) => Ok(decision(said)?),
        Err(no) => Err(refusal(no)?),
    })
}

impl Contract for Functions {
    fn describe(&self, store: &mut Store<Meter>) -> wasmtime::Result<About> {
        let describe = self.of_fresh::<(), (wit::About,)>(store, &self.describe)?;
        let (about,) = describe.call(store, ())?;
        Ok(About {
            name: about.name,
            version: about.version,
            settings_schema: about.settings_schema,
        })
    }

    fn validate_settings(
        &self,
        store: &mut Store<Meter>,
        settings: &str,
    ) -> wasmtime::Result<Result<(), Vec<String>>> {
        let validate = self.of_fresh(store, &self.validate_settings)?;
        let (checked,) = validate.call(store, (settings,))?;
        Ok(checked)
    }

    fn decide(&self, snapshot: &Snapshot) -> Call<'_, Answer> {
        let shown = shown(snapshot);
        Box::new(move |store| {
            let decide = self.of_fresh(&mut *store, &self.decide)?;
            let (answer,) = decide.call(store, (&shown,))?;
            answered(answer)
        })
    }

    #[cfg(feature = "workbench")]
    fn component(&self) -> &wasmtime::component::Component {
        self.component.component()
    }

    #[cfg(feature = "workbench")]
    fn instance(&self, store: &mut Store<Meter>) -> wasmtime::Result<Box<dyn Instance>> {
        Ok(Box::new(Kept(self.component.instantiate(&mut *store)?, self.decide)))
    }
}

#[cfg(feature = "workbench")]
struct Kept(wasmtime::component::Instance, ComponentExportIndex);

#[cfg(feature = "workbench")]
impl Instance for Kept {
    fn decide(&self, snapshot: &Snapshot) -> Call<'_, Answer> {
        let shown = shown(snapshot);
        Box::new(move |store| {
            let decide = self.0.get_typed_func(&mut *store, self.1)?;
            let (answer,) = decide.call(store, (&shown,))?;
            answered(answer)
        })
    }
}
