//! Cases, proofs and comparisons of policies.
//!
//! | module | what |
//! |---|---|
//! | `captured` | a case of a real installation, without its secrets |
//! | `cases` | `precedent test`: filters, formats, coverage, recording, wrong input |
//! | `compared` | `policy diff` |
//! | `guide` | docs/testing-policies.md: its case, its commands |
//! | `proven` | `policy prove`: the shipped policies, and every property broken once |

mod captured;
mod cases;
mod compared;
mod guide;
mod proven;
