//! The only place with `unsafe`: one small file per kernel or C library facility.
#![allow(unsafe_code, reason = "this folder is the fence around it")]

pub mod alloc;
pub mod children;
pub mod clock;
pub mod console;
pub mod engine;
pub mod epoll;
pub mod error;
pub mod files;
pub mod local;
pub mod logins;
pub mod machine;
pub mod mmsg;
pub mod namespace;
pub mod ocsp;
pub mod process;
pub mod regex;
pub mod replace;
pub mod resident;
pub mod resolve;
pub mod socket;
pub mod strptime;
pub mod tls;
