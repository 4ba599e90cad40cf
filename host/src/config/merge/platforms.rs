//! What a build without the feature `platforms` passes over: calls, and the logins of agents.

use super::{Source, replace, unknown};
use crate::config::{
    CallSpec, Deployment, ManifestError,
    declare::{CallTable, Declarations},
    profiles::profiles,
};

impl Deployment {
    pub(super) fn declare_platforms(
        &mut self,
        source: &Source<'_>,
        own: &Declarations,
    ) -> Result<(), ManifestError> {
        source.refuse_twins("call", own.calls.iter().map(|table| &table.name))?;
        source.refuse_twins("profiles", own.profiles.iter().map(|table| &table.name))?;
        for table in &own.calls {
            let spec = self.call(source, table)?;
            replace(&mut self.calls, spec, |call| &call.name);
        }
        for table in &own.profiles {
            let spec = profiles(source, table)?;
            if self.locations.iter().any(|location| location.name == spec.name) {
                let message = format!("a location is called `{}` already", spec.name);
                return Err(source.error(&table.name, message));
            }
            replace(&mut self.profiles, spec, |profiles| &profiles.name);
        }
        Ok(())
    }

    fn call(&mut self, source: &Source<'_>, table: &CallTable) -> Result<CallSpec, ManifestError> {
        let needs = table.needs.iter().map(|name| self.known_credential(source, name));
        let needs = needs.collect::<Result<Vec<_>, _>>()?;
        for name in &table.by {
            let known = || self.consumers.iter().map(|consumer| consumer.name.as_str());
            if !known().any(|known| known == name.get_ref()) {
                return Err(source.error(name, unknown("consumer", name.get_ref(), known())));
            }
        }
        for (needed, id) in table.needs.iter().zip(&needs) {
            let readers = || self.consumers.iter().filter(|one| one.credential == *id);
            let is_its = |name: &String| {
                table.by.is_empty() || table.by.iter().any(|by| by.get_ref() == name)
            };
            if !readers().any(|reader| is_its(&reader.name)) {
                let known: Vec<&str> = readers().map(|reader| reader.name.as_str()).collect();
                let (call, credential) = (table.name.get_ref(), needed.get_ref());
                let way_out = match known.as_slice() {
                    [] => format!("add [[consumers]] with `credentials = [\"{credential}\"]`"),
                    known => format!("add one of `{}` to `by`", known.join("`, `")),
                };
                let message = format!(
                    "call `{call}` needs `{credential}`, which none of its programs reads; {way_out}"
                );
                return Err(source.error(needed, message));
            }
        }
        Ok(CallSpec {
            name: table.name.get_ref().clone(),
            needs,
            by: table.by.iter().map(|name| name.get_ref().clone()).collect(),
        })
    }
}
