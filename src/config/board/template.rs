//! Writes a board file to be filled in, from the list of keys.

use super::super::{render, sample};
use super::keys::SECTIONS;

/// What stands at the top.
const HEAD: &str = "\
#:schema board.schema.json
# A board file of fieldwarden: how the board is wired, which no program can find out.
#
# Everything is here, commented out. Remove the # at the beginning of a line, and edit the value. A
# section that the board does not have stays as it is. One way of telling of mains, and one way of
# cutting the power, can be given at most.
#
# Write what is known, and nothing else: a wrong register turns a machine off, or never does. What is
# not known belongs into not_known.
#
# Put it into /etc/fieldwarden/boards, name it in the configuration, and ask `fieldwarden boards show`
# and `fieldwarden check` about it.
";

/// A board file for a board of this name, in which nothing but the name is said.
pub fn template(name: &str) -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        text.push('\n');
        sample::prose(&mut text, "#", section.meaning);
        match section.header {
            "" => {
                let name = render::quoted(name);
                text.push_str(&format!("\nname = {name}\ntitle = {name}\n"));
            }
            header => text.push_str(&format!("#[{}]\n", named(header))),
        }
        let given = |name: &str| section.header.is_empty() && ["name", "title"].contains(&name);
        let open: Vec<_> = section.keys.iter().filter(|key| !given(key.name)).collect();
        for key in open {
            sample::entries(&mut text, std::slice::from_ref(key));
        }
    }
    text
}

/// A header with a name where one is free.
fn named(header: &str) -> String {
    let name = match header {
        "pin.NAME" => "buzzer",
        _ => "gauge",
    };
    header.replace("NAME", name)
}
