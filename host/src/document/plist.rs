use zeroize::Zeroizing;
use super::Broken;
pub(crate) fn find(_: &[u8], _: &[&str]) -> Result<Option<Zeroizing<String>>, Broken> { Err(Broken::new("x")) }
pub(crate) fn set(_: &[u8], _: &[&str], _: Option<&str>) -> Result<Zeroizing<Vec<u8>>, Broken> { Err(Broken::new("x")) }
