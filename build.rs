//! Tells the linker in which order the program's functions are to stand: `link/daemon.ld`.

fn main() {
    let script = "link/daemon.ld";
    println!("cargo:rerun-if-changed={script}");
    let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    // Each on its own: in one `-Wl,` a comma in the path would end it.
    for part in ["-T", &format!("{directory}/{script}")] {
        println!("cargo:rustc-link-arg=-Xlinker");
        println!("cargo:rustc-link-arg={part}");
    }
}
