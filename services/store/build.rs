//! Migrations live at the top of the repository: rebuild when one is added.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
