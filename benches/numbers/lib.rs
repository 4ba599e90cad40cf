//! What was measured: rounds in which each contestant has its turn, medians of them, and the figures
//! that the page is made of.
//!
//! | module | what |
//! |---|---|
//! | [`rounds`] | each contestant in turn, over and over |
//! | [`figures`] | what came of it, kept between the measurement and the page |
//! | [`tables`] | the tables of it |
//! | [`words`] | durations, sizes and tables as people read them |

pub mod figures;
pub mod rounds;
pub mod tables;
pub mod words;

pub use figures::Figures;
