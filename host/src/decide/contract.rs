//! The bindings of `wit/v1`.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::restriction, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit/v1",
    world: "token-policy",
    additional_derives: [serde::Serialize, serde::Deserialize],
});

pub(super) use exports::precedent::policy::policy as wit;
