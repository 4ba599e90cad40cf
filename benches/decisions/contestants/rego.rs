//! regorus: the policy in Rego, on its virtual machine and by its interpreter. A record becomes the
//! values that it takes by way of JSON, and what comes back a record likewise; the machine is measured
//! without that too, from values that are ready made to values.

use std::{num::NonZero, sync::Arc, time::Duration};

use anyhow::Result;
use precedent_bench_extism::request::Decision;
use regorus::{
    Engine, Value,
    languages::rego::compiler::Compiler,
    rvm::{program::Program, vm::RegoVM},
    utils::limits::ExecutionTimerConfig,
};

use crate::{
    contestant::{Asking, Contestant, With},
    request::Asked,
};

const POLICY: &str = include_str!("../../policies/reference.rego");
const RULE: &str = "data.reference.decision";

/// A deadline, as everybody has one.
fn deadline() -> ExecutionTimerConfig {
    let check_interval = NonZero::new(1024).unwrap_or(NonZero::<u32>::MIN);
    ExecutionTimerConfig { limit: Duration::from_secs(60), check_interval }
}

fn engine() -> Result<Engine> {
    let mut engine = Engine::new();
    engine.add_policy("reference.rego".to_owned(), POLICY.to_owned())?;
    engine.set_execution_timer_config(deadline());
    Ok(engine)
}

fn input(asked: &Asked) -> Result<Value> {
    Value::from_json_str(&serde_json::to_string(&asked.plain)?)
}

fn decision(value: Value) -> Result<Decision> {
    Ok(serde_json::from_str(&serde_json::to_string(&value)?)?)
}

/// Its virtual machine: a program that is compiled once, a machine that is kept.
pub(crate) struct Machine {
    name: &'static str,
    program: Arc<Program>,
    values: bool,
}

impl Machine {
    /// From a record to a record, as everybody.
    pub(crate) fn load() -> Result<Self> {
        let policy = engine()?.compile_with_entrypoint(&RULE.into())?;
        let program = Compiler::compile_from_policy(&policy, &[RULE])?;
        Ok(Self { name: "regorus, RVM", program, values: false })
    }

    /// From values to values.
    pub(crate) fn with_values() -> Result<Self> {
        Ok(Self { name: "regorus, RVM, values ready", values: true, ..Self::load()? })
    }
}

impl Contestant for Machine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn ready<'c>(&'c self, asked: &'c Asked) -> Result<Box<dyn Asking + 'c>> {
        let mut machine = RegoVM::new();
        machine.load_program(Arc::clone(&self.program));
        machine.set_max_instructions(usize::MAX);
        machine.set_execution_timer_config(Some(deadline()));
        let mut run = move |input: Value| {
            machine.set_input(input);
            anyhow::Ok(machine.execute()?)
        };
        Ok(if self.values {
            let input = input(asked)?;
            Box::new(With { make: move || input.clone(), ask: run, plain: decision })
        } else {
            let ask = move |()| decision(run(input(asked)?)?);
            Box::new(With { make: || (), ask, plain: Ok })
        })
    }
}

/// Its interpreter.
pub(crate) struct Interpreter {
    engine: Engine,
}

impl Interpreter {
    pub(crate) fn load() -> Result<Self> {
        let mut engine = engine()?;
        engine.compile_with_entrypoint(&RULE.into())?;
        Ok(Self { engine })
    }
}

impl Contestant for Interpreter {
    fn name(&self) -> &'static str {
        "regorus, interpreter"
    }

    fn ready<'c>(&'c self, asked: &'c Asked) -> Result<Box<dyn Asking + 'c>> {
        let mut engine = self.engine.clone();
        let ask = move |()| {
            engine.set_input(input(asked)?);
            decision(engine.eval_rule(RULE.to_owned())?)
        };
        Ok(Box::new(With { make: || (), ask, plain: Ok }))
    }
}
