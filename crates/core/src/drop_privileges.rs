//! TLS_UID and TLS_GID: the identity of an engine after it has read the key.

use cli::{Context, Fatal, Whose};
use unix::{Errno, user};

/// The identity to change to. It is ignored unless the real user is root.
pub struct Identity {
    uid: u32,
    gid: u32,
}

impl Identity {
    /// Reads the two variables. None if the identity stays: they are 0, or the real user
    /// is not root.
    pub fn from_environment(context: &Context) -> Result<Option<Self>, Fatal> {
        if user::real_uid() != 0 {
            return Ok(None);
        }
        let uid = context.id_or_zero(Whose::User, "TLS_UID")?;
        let gid = context.id_or_zero(Whose::Group, "TLS_GID")?;
        Ok((uid != 0 || gid != 0).then_some(Self { uid, gid }))
    }

    /// Changes to it: clears supplementary groups, then sets gid and uid if not 0.
    pub fn assume(&self) -> Result<(), Fatal> {
        let failed = |what: &'static str| move |errno: Errno| Fatal::system(what, errno);
        user::set_groups(&[]).map_err(failed("clear supplementary groups"))?;
        if self.gid != 0 {
            user::set_gid(self.gid).map_err(failed("setgid to TLS_GID"))?;
        }
        if self.uid != 0 {
            user::set_uid(self.uid).map_err(failed("setuid to TLS_UID"))?;
        }
        Ok(())
    }
}
