//! `s6-applyuidgid`: runs a program with other user and group ids.

use cli::id::Applyuidgid;
use cli::{Context, Fatal, Ids};
use unix::user;

/// Runs `s6-applyuidgid`.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (given, operands) = context.options()?;
    let mut ids = Ids::default();
    let mut clean = false;
    for (id, option) in given.each::<Applyuidgid>()? {
        clean |= id == Applyuidgid::Clean;
        ids.apply(id, option, context)?;
    }
    apply(&ids)?;
    if clean {
        for name in ["UID", "GID", "GIDLIST"] {
            context.env.unset(name);
        }
    }
    Err(context.exec(&operands))
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
