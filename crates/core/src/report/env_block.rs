//! The format of the notification: strings, each ended by NUL, and one more NUL at
//! the end. `NAME=value` sets a variable, `NAME` unsets it.

/// A notification that is being written.
#[derive(Default)]
pub struct EnvBlock(Vec<u8>);

impl EnvBlock {
    /// Sets `name`, or unsets it if there is no `value`, or one with a NUL: the rest of
    /// that would pass for another variable.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.set_bytes(name, value.map(str::as_bytes));
    }

    /// As [`Self::set`], for a value that may not be UTF-8.
    pub fn set_bytes(&mut self, name: &str, value: Option<&[u8]>) {
        self.0.extend_from_slice(name.as_bytes());
        if let Some(value) = value.filter(|value| !value.contains(&0)) {
            self.0.push(b'=');
            self.0.extend_from_slice(value);
        }
        self.0.push(0);
    }

    /// Sets `name_0`, `name_1` and so on, and unsets the next one: an inherited one would
    /// look like one more value.
    pub fn set_each(&mut self, name: &str, values: &[String]) {
        for (n, value) in values.iter().enumerate() {
            self.set(&format!("{name}_{n}"), Some(value));
        }
        self.set(&format!("{name}_{}", values.len()), None);
    }

    /// The finished notification.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.push(0);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_and_unset_in_order() {
        let mut env_block = EnvBlock::default();
        env_block.set("A", Some("1=2"));
        env_block.set("B", None);
        env_block.set("C", Some(""));
        env_block.set("D", Some("x\0E=y"));
        env_block.set_each("N", &["a".into(), "b".into()]);
        env_block.set_each("M", &[]);
        let block = b"A=1=2\0B\0C=\0D\0N_0=a\0N_1=b\0N_2\0M_0\0\0";
        assert_eq!(env_block.finish(), block);
    }
}
