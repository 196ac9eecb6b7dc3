//! Chores of the repository.

#![allow(dead_code, reason = "the command that converts models calls them")]

mod ge2e;
mod onnx;
mod torch;

fn main() {}
