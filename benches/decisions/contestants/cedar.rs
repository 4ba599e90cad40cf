//! Cedar: which places follow, as one question for each program and each place of its credential. The
//! entities, the requests and the source of truth are made before, which is nobody's time.

use std::collections::{BTreeSet, HashMap, HashSet};

use anyhow::Result;
use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use precedent_bench_extism::request::{Decision, Kind, Place, Presence, Write};

use crate::{
    contestant::{Asking, Contestant, Says, With},
    request::Asked,
};

pub(crate) struct Cedar {
    policies: PolicySet,
}

impl Cedar {
    pub(crate) fn load() -> Result<Self> {
        Ok(Self { policies: include_str!("../../policies/reference.cedar").parse()? })
    }
}

impl Contestant for Cedar {
    fn name(&self) -> &'static str {
        "cedar, all pairs"
    }

    fn says(&self) -> Says {
        Says::Places
    }

    fn ready<'c>(&'c self, asked: &'c Asked) -> Result<Box<dyn Asking + 'c>> {
        let entities = entities(asked)?;
        let questions = questions(asked)?;
        let authorizer = Authorizer::new();
        let ask = move |()| {
            let mut allowed = Vec::new();
            for (to, question) in &questions {
                let answer = authorizer.is_authorized(question, &self.policies, &entities);
                if answer.decision() == cedar_policy::Decision::Allow {
                    allowed.push(*to);
                }
            }
            Ok(allowed)
        };
        Ok(Box::new(With { make: || (), ask, plain }))
    }
}

/// Every program of a credential gets the same answer on a place.
fn plain(allowed: Vec<u32>) -> Result<Decision> {
    let places: BTreeSet<u32> = allowed.into_iter().collect();
    let write = |to| Write { from: 0, to, reason: String::new() };
    Ok(Decision { actions: places.into_iter().map(write).collect(), ..Decision::default() })
}

fn entities(asked: &Asked) -> Result<Entities> {
    let mut all = Vec::new();
    for (id, program) in asked.plain.consumers.iter().enumerate() {
        let credential = RestrictedExpression::new_long(program.credential.into());
        let attributes = HashMap::from([("credential".to_owned(), credential)]);
        all.push(Entity::new(named("Program", id)?, attributes, HashSet::new())?);
    }
    for (id, place) in asked.plain.locations.iter().enumerate() {
        all.push(Entity::new(named("Place", id)?, attributes(place), HashSet::new())?);
    }
    Ok(Entities::from_entities(all, None)?)
}

fn attributes(place: &Place) -> HashMap<String, RestrictedExpression> {
    let presence = match place.presence {
        Presence::Absent => "absent",
        Presence::Placeholder => "placeholder",
        Presence::Plain => "plain",
        Presence::Reference => "reference",
    };
    let mut attributes = HashMap::from([
        ("credential".to_owned(), RestrictedExpression::new_long(place.credential.into())),
        ("presence".to_owned(), RestrictedExpression::new_string(presence.to_owned())),
        ("writable".to_owned(), RestrictedExpression::new_bool(place.writable)),
    ]);
    if let Some(secret) = place.secret {
        attributes.insert("secret".to_owned(), RestrictedExpression::new_long(secret.into()));
    }
    attributes
}

/// A question for each program and each place of its credential, with the place.
fn questions(asked: &Asked) -> Result<Vec<(u32, Request)>> {
    let places = &asked.plain.locations;
    let mut by_credential = vec![Vec::new(); asked.plain.credentials.len()];
    for (id, place) in places.iter().enumerate() {
        by_credential[place.credential as usize].push(id);
    }
    let mut all = Vec::new();
    for (id, program) in asked.plain.consumers.iter().enumerate() {
        let own = &by_credential[program.credential as usize];
        let is_truth = |id: &&usize| {
            places[**id].kind == Kind::Environment && places[**id].presence == Presence::Plain
        };
        // Without a source of truth there is nothing to follow, and nothing to ask.
        let Some(truth) = own.iter().find(is_truth) else { continue };
        for place in own {
            let truth = RestrictedExpression::new_entity_uid(named("Place", *truth)?);
            let context = Context::from_pairs([("truth".to_owned(), truth)])?;
            let (program, follow) = (named("Program", id)?, "Action::\"follow\"".parse()?);
            let question = Request::new(program, follow, named("Place", *place)?, context, None)?;
            all.push((u32::try_from(*place)?, question));
        }
    }
    Ok(all)
}

fn named(kind: &str, id: usize) -> Result<EntityUid> {
    Ok(format!("{kind}::\"{id}\"").parse()?)
}
