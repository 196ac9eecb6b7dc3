//! Migrations are compiled in; cargo does not see new files among them by itself.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
