//! `s6-applyuidgid`: runs a program with other user and group ids.

use cli::id::Applyuidgid;
use cli::{Context, Fatal, Whose, list_u32, unsigned};
use unix::user;

#[derive(Default)]
struct Ids {
    uid: u32,
    gid: u32,
    groups: Option<Vec<u32>>,
}

/// Runs `s6-applyuidgid`.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (given, operands) = context.options()?;
    let mut ids = Ids::default();
    let mut clean = false;
    for (id, option) in given.each::<Applyuidgid>()? {
        match id {
            Applyuidgid::Clean => clean = true,
            Applyuidgid::Environment => ids = from_environment(context)?,
            Applyuidgid::Uid => ids.uid = option.number(),
            Applyuidgid::Gid => ids.gid = option.number(),
            Applyuidgid::Groups => ids.groups = Some(option.numbers()?),
        }
    }
    apply(&ids)?;
    if clean {
        for name in ["UID", "GID", "GIDLIST"] {
            context.env.unset(name);
        }
    }
    Err(context.exec(&operands))
}

fn from_environment(context: &Context) -> Result<Ids, Fatal> {
    let number = |whose: Whose, name| {
        let value = context.require(name)?;
        unsigned(value.as_encoded_bytes()).ok_or_else(|| whose.invalid(name, value))
    };
    let uid = number(Whose::User, "UID")?;
    let gid = number(Whose::Group, "GID")?;
    let list = context.require("GIDLIST")?;
    let groups =
        list_u32(list.as_encoded_bytes()).ok_or_else(|| Whose::Group.invalid("GIDLIST", list))?;
    Ok(Ids {
        uid,
        gid,
        groups: Some(groups),
    })
}

/// Sets the groups first: without the former user id they could not be changed. An
/// id of 0 is not set.
fn apply(ids: &Ids) -> Result<(), Fatal> {
    if let Some(groups) = &ids.groups {
        user::set_groups(groups)
            .map_err(|errno| Fatal::system("set supplementary group list", errno))?;
    }
    if ids.gid > 0 {
        user::set_gid(ids.gid).map_err(|errno| Fatal::system("setgid", errno))?;
    }
    if ids.uid > 0 {
        user::set_uid(ids.uid).map_err(|errno| Fatal::system("setuid", errno))?;
    }
    Ok(())
}
