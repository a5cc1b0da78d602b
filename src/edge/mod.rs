//! Touches: one named thread for each thing that can block. The only place for the operating system
//! and for hardware.
//!
//! Invariant: an edge reports facts and carries out orders; it decides nothing.
//! Invariant: the inbox is bounded and edges wait when it is full, so a core that is stuck stops
//! everything and the hardware acts; order queues are bounded and the core never waits for one, so
//! no circle of waiting can arise.

pub mod adoption;
pub mod archive;
pub mod board_record;
pub mod boot_traces;
pub mod bound_chips;
pub mod build_date;
pub mod bus;
pub mod bus_look;
pub mod canary;
pub mod caps;
pub mod checker;
pub mod children;
pub mod clock;
pub mod config_copy;
pub mod control;
pub mod disk;
pub mod drive;
pub mod engine;
pub mod errand;
pub mod fd_store;
pub mod floor_file;
pub mod foreign;
pub mod gauge;
pub mod gpio;
pub mod guards;
pub mod halter;
pub mod hardware;
pub mod health;
pub mod hold_file;
pub mod holder;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
pub mod i2c;
pub mod inbox;
pub mod job_file;
pub mod keeper;
pub mod led;
pub mod ledger;
pub mod line;
pub mod lock;
pub mod log_file;
pub mod logging;
pub mod luggage;
pub mod mailbox;
pub mod marker_file;
pub mod memo;
pub mod memory_want;
pub mod mountinfo;
pub mod network;
pub mod newer;
pub mod notify_sender;
pub mod orders;
pub mod output;
pub mod places;
pub mod pool;
pub mod power_cut;
pub mod power_supply;
pub mod prober;
pub mod proc_text;
pub mod process;
pub mod program_text;
pub mod pulse;
pub mod queue;
pub mod recorder;
pub mod register;
pub mod rtc;
pub mod run_record;
pub mod run_table;
pub mod senses;
pub mod service_log;
pub mod session;
pub mod signals;
pub mod sim_board;
pub mod spawn;
pub mod spawner;
pub mod starts;
pub mod stop_file;
pub mod successor;
pub mod syncer;
pub mod systemd;
pub mod thread;
pub mod throttle;
pub mod throttle_bell;
pub mod uplink;
pub mod uplink_watch;
pub mod vitals;
pub mod watchdog_device;
pub mod watchdog_driver;
pub mod watchdog_look;
pub mod wear;
