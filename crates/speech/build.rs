//! Finds the static libraries of opencore-amr, the decoder of AMR speech. They are linked in whole, so that the binary
//! needs nothing of them where it runs.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    for library in ["opencore-amrnb", "opencore-amrwb"] {
        let file = format!("lib{library}.a");
        // The compiler answers with the bare name where it does not know the file.
        let found = Command::new(&compiler).arg(format!("-print-file-name={file}")).output();
        let path = found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        match Path::new(&path).parent().filter(|folder| folder.is_absolute()) {
            Some(folder) => println!("cargo::rustc-link-search=native={}", folder.display()),
            None => println!("cargo::error={file} is missing: run scripts/setup, or install lib{library}-dev"),
        }
        println!("cargo::rustc-link-lib=static={library}");
    }
}
