//! User and group ids. They are always numbers: looking up a name needs files that a container
//! may not have.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::context::Context;
use crate::fatal::Fatal;
use crate::id::{Applyuidgid, Id};
use crate::number::{list_u32, unsigned};
use crate::parsed_options::{ParsedOption, ParsedOptions};

const UID: Id = Id::Applyuidgid(Applyuidgid::Uid);
const GID: Id = Id::Applyuidgid(Applyuidgid::Gid);
const GROUPS: Id = Id::Applyuidgid(Applyuidgid::Groups);

/// The ids that `s6-applyuidgid` sets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ids {
    /// The user id; 0: it stays.
    pub uid: u32,
    /// The group id; 0: it stays.
    pub gid: u32,
    /// The supplementary groups; None: they stay.
    pub groups: Option<Vec<u32>>,
}

impl Ids {
    /// Applies an option. One that is not about ids changes nothing.
    pub fn apply(
        &mut self,
        id: Applyuidgid,
        option: &ParsedOption,
        context: &Context,
    ) -> Result<(), Fatal> {
        match id {
            Applyuidgid::Environment => *self = Self::from_environment(context)?,
            Applyuidgid::Uid => self.uid = option.number(),
            Applyuidgid::Gid => self.gid = option.number(),
            Applyuidgid::Groups => self.groups = Some(option.numbers()?),
            Applyuidgid::Clean => {}
        }
        Ok(())
    }

    /// The ids in UID, GID and GIDLIST, all of which must be set.
    pub fn from_environment(context: &Context) -> Result<Self, Fatal> {
        let number = |whose: Whose, name| {
            let value = context.require(name)?;
            unsigned(value.as_encoded_bytes()).ok_or_else(|| whose.invalid(name, value))
        };
        let uid = number(Whose::User, "UID")?;
        let gid = number(Whose::Group, "GID")?;
        let list = context.require("GIDLIST")?;
        let groups = list_u32(list.as_encoded_bytes())
            .ok_or_else(|| Whose::Group.invalid("GIDLIST", list))?;
        Ok(Self {
            uid,
            gid,
            groups: Some(groups),
        })
    }
}

/// Whose id an option or a variable takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Whose {
    /// A user's.
    User,
    /// A group's.
    Group,
}

impl Whose {
    /// Whose id the option `id` takes; None if it takes neither.
    pub(crate) fn of(id: Option<Id>) -> Option<Self> {
        match id {
            Some(UID) => Some(Self::User),
            Some(GID | GROUPS) => Some(Self::Group),
            _ => None,
        }
    }

    /// How to find the number, if the refused `value` contains a name instead.
    pub(crate) fn advice(self, value: &OsStr) -> Option<String> {
        let mut items = value.as_bytes().split(|byte| b",;: \t\r\n".contains(byte));
        let name = String::from_utf8_lossy(items.find(|item| is_name(item))?);
        Some(match self {
            Self::User => format!("`id -u {name}` prints the number"),
            Self::Group => format!("`getent group {name}` shows the number"),
        })
    }

    /// The error for a variable `name` whose `value` is no number.
    pub fn invalid(self, name: &str, value: &OsStr) -> Fatal {
        match self.advice(value) {
            Some(advice) => Fatal::user(format!(
                "invalid ${name}: must be an unsigned integer: {advice}"
            )),
            None => Fatal::invalid_variable(name),
        }
    }
}

/// Whether `text` can be the name of a user or a group. A single letter is more likely a typing
/// error.
fn is_name(text: &[u8]) -> bool {
    let first = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let other = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    (2..=32).contains(&text.len()) && text.first().is_some_and(first) && text.iter().all(other)
}

/// Warns at the start of a service if root has given `-u` without `-g` or `-G`: its program keeps
/// groups of root. `-U` sets all three.
pub fn warn_about_kept_groups(context: &Context, given: &ParsedOptions) {
    if unix::user::real_uid() != 0 {
        return;
    }
    if let Some(warning) = kept_groups(given, unix::user::has_groups()) {
        context.warn(warning);
    }
}

/// Warns if root has set `TLS_UID` without `TLS_GID`: the engine keeps the group of root.
pub fn warn_about_engine_group(context: &Context) {
    let is_set = |whose, name| matches!(context.id_or_zero(whose, name), Ok(1..));
    let half = is_set(Whose::User, "TLS_UID") && !is_set(Whose::Group, "TLS_GID");
    if half && unix::user::real_uid() == 0 {
        context.warn("TLS_UID without TLS_GID: the engine stays in the group of root");
    }
}

/// The warning about groups of root that a program keeps; `groups` says whether root has
/// supplementary groups.
fn kept_groups(given: &ParsedOptions, groups: bool) -> Option<&'static str> {
    let environment = given.has(Id::Applyuidgid(Applyuidgid::Environment));
    let nonzero = |id| given.get(id).is_some_and(|option| option.number() != 0);
    if environment || !nonzero(UID) {
        return None;
    }
    match (nonzero(GID), given.has(GROUPS) || !groups) {
        (true, true) => None,
        (false, true) => Some("-u without -g: the program stays in the group of root"),
        (true, false) => Some(
            "-u without -G: the program keeps the supplementary groups of root; \
             -G '' clears them",
        ),
        (false, false) => Some(
            "-u without -g and -G: the program stays in the group of root, and keeps its \
             supplementary groups; -G '' clears them",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::ffi::OsString;

    use crate::tables::APPLYUIDGID;
    use unix::Env;

    fn context(variables: &[(&str, &str)]) -> Context {
        let mut env = Env::default();
        for (name, value) in variables {
            env.set(name, value);
        }
        Context::new(&APPLYUIDGID, Vec::new(), env)
    }

    /// What these options and variables set.
    fn ids(args: &[&str], variables: &[(&str, &str)]) -> Result<Ids, Fatal> {
        let args = args.iter().chain(&["p"]).map(OsString::from).collect();
        let (given, _) = crate::parse(&APPLYUIDGID, args)?;
        let mut ids = Ids::default();
        for (id, option) in given.each()? {
            ids.apply(id, option, &context(variables))?;
        }
        Ok(ids)
    }

    #[test]
    fn options_and_variables_set_the_same_ids_and_the_later_ones_count() {
        let variables = [("UID", "5"), ("GID", "6"), ("GIDLIST", "7,8")];
        let all = |uid, gid, groups: &[u32]| {
            let groups = Some(groups.to_vec());
            Ok(Ids { uid, gid, groups })
        };
        for (args, expected) in [
            (&["-u", "1", "-g", "2", "-G", "3,4"][..], all(1, 2, &[3, 4])),
            (&["-U"], all(5, 6, &[7, 8])),
            (&["-u", "1", "-U"], all(5, 6, &[7, 8])),
            (&["-U", "-u", "1", "-G", ""], all(1, 6, &[])),
            (&["-z"], Ok(Ids::default())),
        ] {
            assert_eq!(ids(args, &variables), expected, "{args:?}");
        }
    }

    #[test]
    fn ids_of_the_environment_are_all_set_and_numbers() {
        let good = [("UID", "5"), ("GID", "6"), ("GIDLIST", "")];
        assert!(ids(&["-U"], &good).is_ok());
        for i in 0..3 {
            let mut variables = good.to_vec();
            let (name, _) = variables.remove(i);
            let error = Fatal::user(format!("{name} not set"));
            assert_eq!(ids(&["-U"], &variables), Err(error));
            variables.push((name, "root"));
            let advice = match name {
                "UID" => "`id -u root` prints the number",
                _ => "`getent group root` shows the number",
            };
            let error = format!("invalid ${name}: must be an unsigned integer: {advice}");
            assert_eq!(ids(&["-U"], &variables), Err(Fatal::user(error)));
        }
    }

    #[test]
    fn a_name_in_an_option_gets_the_advice_for_its_kind() {
        for (option, advice) in [
            ("-u", "`id -u mail` prints the number"),
            ("-g", "`getent group mail` shows the number"),
            ("-G", "`getent group mail` shows the number"),
        ] {
            let error = ids(&[option, "mail"], &[]).unwrap_err();
            assert!(error.message().ends_with(advice), "{}", error.message());
        }
    }

    #[test]
    fn an_id_in_an_unset_variable_is_0() {
        let id = |variables| context(variables).id_or_zero(Whose::User, "TLS_UID");
        assert_eq!(id(&[]), Ok(0));
        assert_eq!(id(&[("TLS_UID", "7")]), Ok(7));
        assert!(id(&[("TLS_UID", "root")]).is_err());
    }

    fn advice(whose: Whose, value: &str) -> Option<String> {
        whose.advice(OsStr::new(value))
    }

    #[test]
    fn a_name_in_place_of_an_id_gets_advice() {
        let user = |name: &str| Some(format!("`id -u {name}` prints the number"));
        for name in ["www-data", "_s6", "a.b", "nobody"] {
            assert_eq!(advice(Whose::User, name), user(name));
        }
        let group = Some("`getent group ssl-cert` shows the number".to_owned());
        assert_eq!(advice(Whose::Group, "ssl-cert"), group);
        assert_eq!(advice(Whose::Group, "5,7 ssl-cert,x"), group);
    }

    #[test]
    fn other_text_in_place_of_an_id_gets_no_advice() {
        let long = "a".repeat(33);
        for value in [
            "",
            "x",
            "-1",
            "5x",
            "4294967296",
            "a b\u{1b}",
            "$(id)",
            &long,
        ] {
            assert_eq!(advice(Whose::User, value), None, "{value:?}");
        }
    }

    #[test]
    fn uid_without_groups_warns_of_kept_groups_of_root() {
        for (line, said) in [
            ("-u 5 -g 6 -G 7", ""),
            ("-u 5 -g 6 -G ''", ""),
            ("-U", ""),
            ("-u 5 -U", ""),
            ("-u 0", ""),
            ("-g 6", ""),
            ("-u 5 -g 6", "-u without -G:"),
            ("-u 5 -G 7", "-u without -g:"),
            ("-u 5", "-u without -g and -G:"),
            ("-u 5 -g 0", "-u without -g and -G:"),
        ] {
            let words = line.split(' ').chain(["0", "1", "p"]);
            let args = words.map(|word| OsString::from(word.trim_matches('\'')));
            for program in [&crate::tables::TLSSERVER, &crate::tables::TCPSERVER] {
                let (given, _) = crate::parse(program, args.clone().collect()).unwrap();
                let found = kept_groups(&given, true).unwrap_or_default();
                let alike = found.starts_with(said) && found.is_empty() == said.is_empty();
                assert!(alike, "{line}: {found}");
                // Without supplementary groups of root there are none to keep.
                let found = kept_groups(&given, false);
                assert!(found.is_none_or(|text| !text.contains("supplementary")));
            }
        }
    }
}
