//! The page as a folder and as a server, and every way in which the runtime is not to be had.

mod folder;
mod made;
mod page;
mod runtime;
mod server;
