//! Tells the linker in which order the program's functions are to stand, and where: `link/daemon.ld`.

fn main() {
    let script = "link/daemon.ld";
    println!("cargo:rerun-if-changed={script}");
    let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    // Each on its own: in one `-Wl,` a comma in the path would end it.
    // The second: parts of the file stand in memory as far from a multiple of 64 KiB as in the file.
    let script = format!("{directory}/{script}");
    for part in ["-T", &script, "-z", "max-page-size=65536"] {
        println!("cargo:rustc-link-arg=-Xlinker");
        println!("cargo:rustc-link-arg={part}");
    }
    // What walks the stack of a program that panics is linked into it: beside the program, in a library of
    // its own, it costs every daemon 80 KiB of memory.
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
}
