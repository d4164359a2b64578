// refused with: E0603
// A command cannot be invented outside the engine: the trait that does the work cannot even be named.
#![allow(unused)]
use keystead_engine::run::Execute;
