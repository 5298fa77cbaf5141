//! The part of an embedder's tokens that a server may use.

use std::ops::Range;

use mio::Token;

/// A range of mio tokens: one for the listener and one for each connection. How long it is bounds
/// how many connections the server holds.
///
/// ```
/// use netserver::Tokens;
///
/// let tokens = Tokens::new(1000..11_000);
/// assert!(tokens.contains(mio::Token(1000)) && !tokens.contains(mio::Token(999)));
/// assert_eq!(tokens.connections(), 9_999);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tokens {
    range: Range<usize>,
}

impl Tokens {
    /// The tokens of a range.
    pub const fn new(range: Range<usize>) -> Self {
        Self { range }
    }

    /// Whether a token is one of them.
    pub fn contains(&self, token: Token) -> bool {
        self.range.contains(&token.0)
    }

    /// How many connections there are tokens for.
    pub fn connections(&self) -> usize {
        // Connections are numbered by `u32`.
        self.range.len().saturating_sub(1).min(u32::MAX as usize - 1)
    }

    pub(crate) fn listener(&self) -> Token {
        Token(self.range.start)
    }

    pub(crate) fn connection(&self, key: u32) -> Token {
        Token(self.range.start + 1 + key as usize)
    }

    /// The connection that a token is for; `None` for the listener's and those of others.
    pub(crate) fn key(&self, token: Token) -> Option<u32> {
        if !self.contains(token) {
            return None;
        }
        u32::try_from(token.0.checked_sub(self.range.start + 1)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_connection() {
        let tokens = Tokens::new(10..13);
        assert_eq!(tokens.connections(), 2);
        assert_eq!(tokens.listener(), Token(10));
        assert_eq!(
            (tokens.key(Token(10)), tokens.key(Token(13)), tokens.key(Token(9))),
            (None, None, None)
        );
        for key in 0..2 {
            assert_eq!(tokens.key(tokens.connection(key)), Some(key));
        }
    }
}
