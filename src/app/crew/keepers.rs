//! The threads that ask whoever keeps services that are not ours.

use super::ground::Ground;
use super::hands::Hands;
use crate::app::AppError;
use crate::core::fact::Thread;
use crate::edge::engine::Engines;
use crate::edge::inbox::Inbox;
use crate::edge::keeper::{self, Keeper, KeeperOrder, Systemctl};
use crate::edge::orders::Work;

impl Hands {
    /// Whoever asks systemd for its units, if there are any. A simulated machine has no systemd.
    pub(super) fn man_keeper(
        &mut self,
        work: Option<Work<KeeperOrder>>,
        ground: &Ground,
        real: bool,
        inbox: &Inbox,
    ) -> Result<(), AppError> {
        let Some(work) = work else {
            return Ok(());
        };
        let systemctl = keeper::systemctl().filter(|_| real);
        let systemctl = systemctl.map(|path| Systemctl::new(path, self.births.clone()));
        let systemctl = systemctl
            .transpose()
            .map_err(AppError::kernel("asking systemd"))?;
        let keeper = Keeper::new(ground.units(), systemctl, inbox.clone());
        // Without it nothing is known of units, and they run on as they are.
        self.man("keeper", move || {
            if let Err(e) = keeper.run(&work) {
                log::error!("thread keeper ended: {e}");
            }
        })
    }

    /// Whoever asks container engines, if there are containers. A simulated machine has no engine.
    pub(super) fn man_engine(
        &mut self,
        work: Option<Work<KeeperOrder>>,
        ground: &Ground,
        real: bool,
        inbox: &Inbox,
    ) -> Result<(), AppError> {
        let Some(work) = work else {
            return Ok(());
        };
        let kept = ground.kept_by(Thread::Engine);
        let engines = Engines::new(&kept, !real, inbox.clone());
        // Without it nothing is known of containers, and they run on as they are.
        self.man("engine", move || {
            if let Err(e) = engines.run(&work) {
                log::error!("thread engine ended: {e}");
            }
        })
    }
}
