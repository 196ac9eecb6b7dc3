//! Chores of the repository.

mod ge2e;
mod onnx;
mod torch;

fn main() {
    let a: Vec<_> = std::env::args().collect();
    ge2e::convert(a[1].as_ref(), a[2].as_ref()).unwrap();
}
