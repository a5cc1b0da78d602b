//! Notes about groups of services.

use super::{WEB, seconds};
use crate::core::fact::GroupId;
use crate::core::note::{GroupNote, Note};

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let all = [
        (
            GroupNote::GroupRestarting { counted: true },
            "group field is restarted because web failed",
        ),
        (
            GroupNote::GroupRestarting { counted: false },
            "group field is restarted because web failed, which does not count towards giving up",
        ),
        (
            GroupNote::GroupGaveUp {
                restarts: 3,
                window: seconds(600),
                retry: seconds(540),
            },
            "gave up on group field: 3 restarts within 10 min; web is tried again in 9 min, or now with \
             `fieldwarden start web`",
        ),
    ];
    all.map(|(note, words)| (Note::Group(GroupId(0), WEB, note), words))
        .to_vec()
}
