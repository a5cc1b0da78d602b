//! Reads the `[group.NAME]` tables.

use super::cross::Outage;
use super::order;
use super::problem::quote;
use super::service::{Draft, names};
use super::table::{At, Table};
use super::value;
use super::{Command, kept, keys, restart};
use crate::core::fact::ServiceId;
use crate::core::settings::{Escalate, Group, Reboots, Service, Strategy};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is supervised; `None` where something was wrong with it.
pub(super) type Supervised = (
    Option<Vec<(Service, Command)>>,
    Option<Vec<Group>>,
    Option<Reboots>,
);

/// Puts the services together, and reads the groups of them.
pub(super) fn supervised(
    top: &mut Table<'_, '_, '_>,
    drafts: Vec<Draft>,
    times: (&Option<At<Duration>>, &Option<Outage>),
) -> Supervised {
    let names: Vec<String> = drafts.iter().map(|draft| draft.name.clone()).collect();
    let services = order::services(top, drafts, times);
    let services = services.filter(|services| !kept::named_twice(top, services));
    let groups = groups(top, &names, services.as_deref());
    let reboots = restart::reboots(top.below("reboots", keys::REBOOTS.keys));
    (services, groups, reboots)
}

/// Reads all groups, sorted by name. `services` are the names of all services, in their order; `sound`
/// ones are there if nothing was wrong with them.
fn groups(
    top: &mut Table<'_, '_, '_>,
    services: &[String],
    sound: Option<&[(Service, Command)]>,
) -> Option<Vec<Group>> {
    let whole = top.sound();
    let mut tables = top.group("group");
    let mut headers: Vec<_> = tables.entries().map(|(name, _)| name).collect();
    headers.sort_by(|a, b| a.get_ref().cmp(b.get_ref()));
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut groups = Vec::new();
    let mut good = true;
    for header in headers {
        let name: &str = header.get_ref();
        let mut table = tables.below(name, keys::GROUP.keys);
        let members = table.other("members", names);
        let members = members.map_or(Vec::new(), |members| members.value);
        for member in &members {
            good &= known(&mut table, member, services, whole);
            good &= free(&mut table, member, name, &mut taken);
            good &= decided(&mut table, member, name, sound);
            good &= is_kept_running(&mut table, member, sound);
        }
        if let Some(sound) = sound {
            good &= in_order(&mut table, &members, sound);
        }
        match group(&mut table, name, &members, services) {
            Some(group) => {
                good &= does_something(&mut table, &group);
                groups.push(group);
            }
            None => good = false,
        }
    }
    good.then_some(groups)
}

fn group(
    table: &mut Table<'_, '_, '_>,
    name: &str,
    members: &[At<String>],
    services: &[String],
) -> Option<Group> {
    let strategy = table.choice("strategy");
    let restarts = table.count("restarts");
    let window = table.duration("window");
    let escalate = table.choice("escalate");
    let place = |member: &At<String>| services.iter().position(|s| *s == member.value);
    let ids = members.iter().filter_map(place);
    let ids = ids.filter_map(|at| u16::try_from(at).ok().map(ServiceId));
    Some(Group {
        name: name.into(),
        members: ids.collect(),
        strategy: match strategy?.value {
            "one-for-one" => Strategy::OneForOne,
            "one-for-all" => Strategy::OneForAll,
            "rest-for-one" => Strategy::RestForOne,
            _ => return None,
        },
        restarts: restarts?.value,
        window: window?.value,
        escalate: match escalate?.value {
            "none" => Escalate::Nothing,
            "group" => Escalate::Group,
            "machine" => Escalate::Machine,
            _ => return None,
        },
    })
}

/// Reports a member that would decide by itself what its group is there for.
fn decided(
    table: &mut Table<'_, '_, '_>,
    member: &At<String>,
    group: &str,
    sound: Option<&[(Service, Command)]>,
) -> bool {
    let escalates =
        |(service, _): &(Service, Command)| *service.name == *member.value && service.escalates;
    if !sound.is_some_and(|services| services.iter().any(escalates)) {
        return true;
    }
    let what = format!(
        "service {} has `escalate` of its own, and is in a group",
        value::key(&member.value)
    );
    let help = format!(
        "take it out there, and write escalate = \"machine\" in [group.{}]",
        value::key(group)
    );
    let span = member.span.clone().unwrap_or(table.header());
    table.report().error(span, what, help);
    false
}

/// Reports a member that is a job: nobody restarts it, and it goes down by itself.
fn is_kept_running(
    table: &mut Table<'_, '_, '_>,
    member: &At<String>,
    sound: Option<&[(Service, Command)]>,
) -> bool {
    let is_job =
        |(service, _): &(Service, Command)| *service.name == *member.value && service.job.is_some();
    if !sound.is_some_and(|services| services.iter().any(is_job)) {
        return true;
    }
    let what = format!(
        "{} is a job, and no member of a group",
        value::key(&member.value)
    );
    let span = member.span.clone().unwrap_or(table.header());
    let help = "remove it here; a job has `exclusive` and `after`".to_owned();
    table.report().error(span, what, help);
    false
}

/// Reports a group that would change nothing.
fn does_something(table: &mut Table<'_, '_, '_>, group: &Group) -> bool {
    let alone = group.strategy == Strategy::OneForOne;
    if !alone || group.escalate != Escalate::Nothing {
        return true;
    }
    let what = format!(
        "group {} does nothing: its members are restarted alone, as without it",
        value::key(&group.name)
    );
    let help = "choose another strategy, or add escalate = \"group\"".to_owned();
    let span = table.header();
    table.report().error(span, what, help);
    false
}

/// Reports a member that is no service.
fn known(
    table: &mut Table<'_, '_, '_>,
    member: &At<String>,
    services: &[String],
    whole: bool,
) -> bool {
    if services.contains(&member.value) {
        return true;
    }
    // A name that is missing may only be hidden by an error of the file's structure.
    if whole {
        let near = value::nearest(&member.value, services.iter().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean {}?", quote(near)),
            None => format!("remove it, or add [service.{}]", value::key(&member.value)),
        };
        let what = format!("there is no service {}", quote(&member.value));
        let span = member.span.clone().unwrap_or(table.header());
        table.report().error(span, what, help);
    }
    false
}

/// Reports a member that another group has.
fn free(
    table: &mut Table<'_, '_, '_>,
    member: &At<String>,
    group: &str,
    taken: &mut BTreeMap<String, String>,
) -> bool {
    let Some(other) = taken.insert(member.value.clone(), group.to_owned()) else {
        return true;
    };
    if other == group {
        // Told as a name that is there twice.
        return true;
    }
    let what = format!(
        "service {} is in group {} already",
        value::key(&member.value),
        value::key(&other)
    );
    let span = member.span.clone().unwrap_or(table.header());
    let help = "take it out of one of the two: a service is in one group at most".to_owned();
    table.report().error(span, what, help);
    false
}

/// Reports a member that comes after one that stands behind it.
fn in_order(
    table: &mut Table<'_, '_, '_>,
    members: &[At<String>],
    services: &[(Service, Command)],
) -> bool {
    for (place, member) in members.iter().enumerate() {
        let before = all_before(&member.value, services);
        let later = members[place..].iter().skip(1);
        let mut later = later.filter(|m| before.contains(&m.value.as_str()));
        let Some(wrong) = later.next() else { continue };
        let what = format!(
            "`{}` names {} before {}, which it comes after",
            table.full("members"),
            quote(&member.value),
            quote(&wrong.value)
        );
        let span = member.span.clone().unwrap_or(table.header());
        let help = format!("write {} first", quote(&wrong.value));
        table.report().error(span, what, help);
        return false;
    }
    true
}

/// The names of all services that this one comes after, directly or by way of others.
fn all_before<'s>(name: &str, services: &'s [(Service, Command)]) -> Vec<&'s str> {
    let find = |name: &str| services.iter().position(|(s, _)| &*s.name == name);
    let mut left: Vec<usize> = find(name).into_iter().collect();
    let mut seen = vec![false; services.len()];
    let mut before = Vec::new();
    while let Some(at) = left.pop() {
        for other in services[at].0.after.iter().map(|id| usize::from(id.0)) {
            if let Some(seen) = seen.get_mut(other)
                && !std::mem::replace(seen, true)
            {
                before.push(&*services[other].0.name);
                left.push(other);
            }
        }
    }
    before
}
