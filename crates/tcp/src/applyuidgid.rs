//! s6-applyuidgid: runs a program under other ids.

use cli::{Context, Fatal, Grammar, Parser, list_u32, switch, unsigned, value};
use unix::user;

const GRAMMAR: Grammar = Grammar {
    synopsis: "[ -z ] [ -u uid ] [ -g gid ] [ -G gidlist ] [ -U ] prog...",
    options: &[&[
        switch('z', "clean"),
        switch('U', "environment"),
        value('u', "uid"),
        value('g', "gid"),
        value('G', "gidlist"),
    ]],
    long: false,
};

#[derive(Default)]
struct Ids {
    uid: u32,
    gid: u32,
    groups: Option<Vec<u32>>,
}

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let mut parser = Parser::new(&GRAMMAR, std::mem::take(&mut context.args));
    let mut ids = Ids::default();
    let mut clean = false;
    while let Some(opt) = parser.next()? {
        match opt.name {
            "clean" => clean = true,
            "environment" => ids = from_environment(context)?,
            "uid" => ids.uid = opt.unsigned()?,
            "gid" => ids.gid = opt.unsigned()?,
            _ => {
                let groups = list_u32(opt.text().as_encoded_bytes());
                ids.groups = Some(groups.ok_or_else(|| Fatal::usage(GRAMMAR.synopsis))?);
            }
        }
    }
    let operands = parser.operands(1)?;
    apply(&ids)?;
    if clean {
        for name in ["UID", "GID", "GIDLIST"] {
            context.env.unset(name);
        }
    }
    Err(context.exec(&operands))
}

fn from_environment(context: &Context) -> Result<Ids, Fatal> {
    let number = |name| {
        let value = context.require(name)?;
        unsigned(value.as_encoded_bytes()).ok_or_else(|| Fatal::user(format!("invalid ${name}")))
    };
    let uid = number("UID")?;
    let gid = number("GID")?;
    let groups = list_u32(context.require("GIDLIST")?.as_encoded_bytes());
    Ok(Ids {
        uid,
        gid,
        groups: Some(groups.ok_or_else(|| Fatal::user("invalid $GIDLIST"))?),
    })
}

/// Groups first: without the user id nothing could be changed any more.
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
