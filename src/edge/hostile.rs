//! Bytes that the edges read, from whoever has written them; for `crate::hostile`.

use super::{
    board_record, engine, health, hold_file, job_file, keeper, marker_file, memo, mountinfo,
    prober, proc_text, run_record, run_table, stop_file,
};
use crate::core::fact::ServiceId;
use crate::core::settings::Settings;
use crate::trace::parse_fact;

/// Clients of the health endpoint.
pub fn http(bytes: &[u8]) {
    health::hostile(bytes);
}

/// Services, systemd and engines of containers.
pub fn answers(bytes: &[u8]) {
    prober::hostile(bytes);
    engine::hostile(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        keeper::hostile(text);
    }
}

/// The small files of an earlier daemon, as they are and with the checksum that they should have.
pub fn records(bytes: &[u8], settings: &Settings) {
    let half = bytes.len() / 2;
    for left in run_table::leavings(bytes, &bytes[half..]).into_values() {
        if let Some(record) = left.record {
            let line = record.to_line();
            assert_eq!(run_record::RunRecord::from_bytes(&line), Some(record));
        }
    }
    if let Some(line) = memo::of(bytes) {
        let _ = parse_fact(&line, settings);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let line = text.lines().next().unwrap_or_default();
    let whole = format!("{line} crc={:08x}\n", crc32fast::hash(line.as_bytes()));
    for text in [text, &whole] {
        marker_file::parse(text);
        hold_file::parse(text, settings);
        for id in 0..3 {
            job_file::parse(text, ServiceId(id), settings);
        }
    }
    stop_file::whole(text)
        .into_iter()
        .flatten()
        .for_each(|line| {
            stop_file::entry(line);
        });
    text.lines().for_each(|line| {
        stop_file::entry(line);
    });
    board_record::parse(text);
    if let Some((first, source)) = text.split_once('\n') {
        let sum = crc32fast::hash(source.as_bytes());
        board_record::parse(&format!("{first} {sum:08x}\n{source}"));
    }
}

/// Text of the kernel.
pub fn kernel(bytes: &[u8]) {
    let table = mountinfo::parse(bytes);
    mountinfo::worth_watching(&table);
    proc_text::temperature(bytes);
    if let Some(share) = proc_text::memory_available(bytes) {
        assert!(share.0 <= 1000);
    }
    proc_text::load_centi(bytes);
    proc_text::cpu_count(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        proc_text::default_links(text).for_each(drop);
        proc_text::default_links_6(text).for_each(drop);
    }
}
