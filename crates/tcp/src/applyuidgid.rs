//! `s6-applyuidgid`: takes on another identity and runs a program. See
//! doc/s6-applyuidgid.md.

use cli::{Context, Fatal, Grammar, Parser, list_u32, switch, value};
use unix::user;

static GRAMMAR: Grammar = Grammar {
    synopsis: "[ -z ] [ -u uid ] [ -g gid ] [ -G gidlist ] [ -U ] prog...",
    options: &[&[
        switch('z', "no-keep"),
        value('u', "uid"),
        value('g', "gid"),
        value('G', "gidlist"),
        switch('U', "envuidgid"),
    ]],
    long: false,
};

/// Where `-U` finds the identity.
const VARIABLES: [&str; 3] = ["UID", "GID", "GIDLIST"];

/// Ids that are 0 are left alone.
#[derive(Default)]
struct Identity {
    uid: u32,
    gid: u32,
    groups: Option<Vec<u32>>,
}

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let mut identity = Identity::default();
    let mut clean = false;
    let mut parser = Parser::new(&GRAMMAR, std::mem::take(&mut context.args));
    while let Some(opt) = parser.next()? {
        match opt.name {
            "no-keep" => clean = true,
            "uid" => identity.uid = opt.unsigned()?,
            "gid" => identity.gid = opt.unsigned()?,
            "gidlist" => {
                let list = list_u32(opt.text().as_encoded_bytes());
                identity.groups = Some(list.ok_or_else(|| opt.invalid("must be a list of gids"))?);
            }
            // What stands before it is lost, what follows overrides it.
            _ => identity = Identity::from_environment(context)?,
        }
    }
    let prog = parser.operands(1)?;
    identity.take()?;
    if clean {
        VARIABLES.iter().for_each(|name| context.env.unset(name));
    }
    Err(context.exec(&prog))
}

impl Identity {
    fn from_environment(context: &Context) -> Result<Self, Fatal> {
        let [uid, gid, list] = VARIABLES;
        let number = |name| {
            let text = context.require(name)?;
            cli::unsigned(text.as_encoded_bytes()).ok_or_else(|| invalid(name))
        };
        let groups = list_u32(context.require(list)?.as_encoded_bytes());
        Ok(Self {
            uid: number(uid)?,
            gid: number(gid)?,
            groups: Some(groups.ok_or_else(|| invalid(list))?),
        })
    }

    fn take(&self) -> Result<(), Fatal> {
        if let Some(groups) = &self.groups {
            user::set_groups(groups)
                .map_err(|errno| Fatal::system("set supplementary group list", errno))?;
        }
        if self.gid != 0 {
            user::set_gid(self.gid).map_err(|errno| Fatal::system("setgid", errno))?;
        }
        if self.uid != 0 {
            user::set_uid(self.uid).map_err(|errno| Fatal::system("setuid", errno))?;
        }
        Ok(())
    }
}

fn invalid(name: &str) -> Fatal {
    Fatal::user(format!("invalid ${name}"))
}
